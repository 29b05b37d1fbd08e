/** Runs every check of the page, several at once, and says all that is wrong. */
import { spawn } from "node:child_process";

const CHECKS = [
  ["tsc"],
  [
    "eslint",
    ".",
    "--max-warnings",
    "0",
    "--cache",
    "--cache-location",
    "node_modules/.cache/eslint/",
  ],
  ["prettier", "--check", "--log-level", "warn", "."],
  ["knip"],
  ["vitest", "run", "--silent", "--reporter=dot"],
];

/** @param {string[]} command @returns {Promise<boolean>} */
function passes(command) {
  return new Promise((resolve) => {
    const child = spawn("npx", ["--no-install", ...command], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stdout.on("data", (part) => (said += String(part)));
    child.stderr.on("data", (part) => (said += String(part)));
    child.on("close", (code) => {
      if (code !== 0) process.stderr.write(`${command.join(" ")}\n${said}\n`);
      resolve(code === 0);
    });
  });
}

// Types first: everything else reads them.
const isTyped = await passes([
  "openapi-typescript",
  "../openapi.json",
  "-o",
  "src/api/schema.d.ts",
  "--default-non-nullable=false",
]);
const waiting = [...CHECKS];
let failed = !isTyped;
async function work() {
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    if (!(await passes(next))) failed = true;
  }
}
await Promise.all([work(), work()]);
process.exit(failed ? 1 : 0);
