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

/** Names the page's own code in its HTML, so that it is fetched with what asks for it. */
function named(): Plugin {
  return {
    name: "named",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler(html, { bundle = {} }) {
        const chunks = Object.values(bundle).filter((each) => each.type === "chunk");
        const start = chunks.find((chunk) => chunk.facadeModuleId?.endsWith("/app/start.tsx"));
        const files = new Set(start && [start.fileName]);
        for (const file of files) {
          const chunk = chunks.find((each) => each.fileName === file);
          for (const each of chunk?.imports ?? []) files.add(each);
        }
        const missing = [...files].filter((file) => !html.includes(`/${file}"`));
        return missing.map((file) => ({
          tag: "link",
          attrs: { rel: "modulepreload", crossorigin: true, href: `/${file}` },
          injectTo: "head" as const,
        }));
      },
    },
  };
}

/** Refuses pieces that need each other in a circle: one would run before what it calls is there. */
function uncircled(): Plugin {
  return {
    name: "uncircled",
    apply: "build",
    generateBundle(_options, bundle) {
      const done = new Set<string>();
      const follow = (file: string, above: readonly string[]) => {
        if (above.includes(file)) this.error(`Circular pieces: ${[...above, file].join(" > ")}`);
        if (done.has(file)) return;
        const piece = bundle[file];
        if (piece?.type === "chunk")
          for (const next of piece.imports) follow(next, [...above, file]);
        done.add(file);
      };
      for (const file of Object.keys(bundle)) follow(file, []);
    },
  };
}

export default defineConfig({
  plugins: [react(), uncircled(), named(), compressed()],
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
            // By itself, so that what fetches the rest waits for nothing of it.
            {
              name: "first",
              test: /preload-helper|src\/(?:api\/stream|lib\/(?:addressed|memory))\./,
              priority: 3,
            },
            // What many screens need is one piece, and nothing in it needs another: pieces that need
            // each other in a circle run before what they call is there.
            { name: "base", test: TOGETHER, minShareCount: 5, priority: 2 },
            {
              name: "part",
              test: TOGETHER,
              minShareCount: 2,
              entriesAware: true,
              priority: 1,
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
