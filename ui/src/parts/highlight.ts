/** Colouring of code; loaded when the first code is shown. */
import core from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import css from "highlight.js/lib/languages/css";
import ini from "highlight.js/lib/languages/ini";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import r from "highlight.js/lib/languages/r";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";

const LANGUAGES = {
  css,
  ini,
  javascript,
  json,
  markdown,
  python,
  r,
  shell: bash,
  sql,
  typescript,
  xml,
  yaml,
};
for (const [name, language] of Object.entries(LANGUAGES)) core.registerLanguage(name, language);

/** The code as HTML, everything of it escaped; null for a language that is not known. */
export function highlight(code: string, language: string): string | null {
  if (!core.getLanguage(language)) return null;
  return core.highlight(code, { language, ignoreIllegals: true }).value;
}
