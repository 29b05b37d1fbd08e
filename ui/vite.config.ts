/**
 * Builds the page into the Python package, every text file compressed beside itself.
 *
 * The server picks the compressed one, so nothing is compressed while people wait.
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

const PAGE = "../src/heddle/page";
const SERVER = process.env["HEDDLE_URL"] ?? "http://127.0.0.1:5000";
const SMALLEST = 1024;
const MERGED_BYTES = 40_000;
/** What many screens need; what draws charts and shows files is fetched when that is wanted. */
const TOGETHER =
  /node_modules\/(?!echarts|zrender|hyparquet|highlight|marked|dompurify)|src\/(?:api|lib|parts\/(?!chart|files))/;

function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    closeBundle() {
      for (const name of readdirSync(PAGE, { recursive: true, encoding: "utf8" })) {
        if (!/\.(?:js|css|html|svg|json)$/.test(name)) continue;
        const path = join(PAGE, name);
        const data = readFileSync(path);
        if (data.length < SMALLEST) continue;
        writeFileSync(`${path}.gz`, gzipSync(data, { level: 9 }));
        const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
        writeFileSync(`${path}.br`, brotliCompressSync(data, { params }));
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), compressed()],
  resolve: { alias: { "@": new URL("src", import.meta.url).pathname } },
  build: {
    outDir: PAGE,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      output: {
        // What the same screens need goes together, since each piece is a request of its own.
        codeSplitting: {
          groups: [
            {
              name: "part",
              test: TOGETHER,
              entriesAware: true,
              entriesAwareMergeThreshold: MERGED_BYTES,
            },
          ],
        },
        chunkFileNames: ({ name }) => `assets/${name.split("~")[0] ?? name}-[hash].js`,
      },
    },
  },
  server: { proxy: { "/api": { target: SERVER, changeOrigin: true } } },
  test: { include: ["src/**/*.test.{ts,tsx}"], environment: "node" },
});
