/**
 * Drives the page in a real Chromium against a real server.
 *
 * `tests/page/test_page.py` starts both and says where they are; by hand:
 * `HEDDLE_URL=http://127.0.0.1:5000 npx playwright test home` in this folder.
 */
import { defineConfig } from "@playwright/test";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export default defineConfig({
  testDir: "tests",
  outputDir: "test-results",
  workers: 1,
  timeout: 45_000,
  expect: { timeout: 10_000 },
  reporter: [["line"]],
  use: {
    baseURL: process.env["HEDDLE_URL"] ?? "http://127.0.0.1:5000",
    viewport: { width: 1440, height: 900 },
    locale: "en",
    permissions: ["clipboard-read", "clipboard-write"],
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env["HEDDLE_BROWSER"] ?? "/usr/bin/chromium",
      args: FLAGS,
    },
  },
});
