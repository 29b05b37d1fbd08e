/**
 * Lint: everything that typescript-eslint knows, and who may import whom.
 *
 * Imports go down: app, then features, then parts, then api and lib. A feature never imports
 * another. What lies outside a folder of `src` is imported as `@/...`, so that this can be seen.
 */
import { readdirSync } from "node:fs";
import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

const FEATURES = readdirSync(new URL("src/features", import.meta.url));
/** Folders by what they must not import. */
const REFUSED = {
  features: ["app"],
  parts: ["app", "features"],
  api: ["app", "features", "parts"],
  lib: ["app", "features", "parts", "api"],
};

/**
 * @param {string[]} folders
 * @param {string} message
 * @returns {["error", object]}
 */
function refuse(folders, message) {
  const patterns = folders.map((folder) => ({ group: [`@/${folder}`, `@/${folder}/**`], message }));
  return ["error", { patterns }];
}

export default defineConfig(
  { ignores: ["node_modules", "src/api/schema.d.ts", "test-results"] },
  js.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  hooks.configs.flat["recommended-latest"],
  {
    languageOptions: { parserOptions: { projectService: true } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/consistent-type-definitions": "off",
      // Callbacks of elements may start something that goes on by itself.
      "@typescript-eslint/no-misused-promises": [
        "error",
        { checksVoidReturn: { attributes: false } },
      ],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // Index signatures are read by brackets, as tsc wants it.
      "@typescript-eslint/dot-notation": ["error", { allowIndexSignaturePropertyAccess: true }],
      // The router throws redirects and missing pages.
      "@typescript-eslint/only-throw-error": "off",
      // The compiler that it warns of is not used.
      "react-hooks/incompatible-library": "off",
      "no-console": "error",
      eqeqeq: "error",
      "max-lines": ["error", 600],
    },
  },
  { files: ["scripts/**"], rules: { "no-undef": "off", "no-console": "off" } },
  ...Object.entries(REFUSED).map(([folder, refused]) => ({
    files: [`src/${folder}/**`],
    rules: {
      "no-restricted-imports": refuse(refused, "Imports go down: app, features, parts, api, lib."),
    },
  })),
  ...FEATURES.map((feature) => ({
    files: [`src/features/${feature}/**`],
    rules: {
      "no-restricted-imports": refuse(
        [
          "app",
          ...FEATURES.filter((other) => other !== feature).map((other) => `features/${other}`),
        ],
        "Features do not know each other, nor the app; what they share belongs into parts.",
      ),
    },
  })),
);
