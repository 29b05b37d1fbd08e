/**
 * Owns how a screen's state is written into its address: compactly, readably, without loss.
 *
 * Always holds: `decode(encode(x))` is `x` for everything JSON can hold but `undefined`; whatever
 * text stands in an address, decoding it never throws, it gives `undefined`; keys of rows keep
 * their order, since the order decides their colours.
 * Leaves to others: what the state means (the screens), and moving through history (the router).
 *
 * The notation is a JSON whose marks need no escaping in an address:
 * `(a:1,b:!(x,y),c:'two words',d:!t,e:!n)`.
 */

export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

const WORD = /^[A-Za-z_][A-Za-z0-9_.\-/~@]*$/;
const NUMBER = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/;
const DEPTH_MAX = 32;

/** A value as text; members that are `undefined` are left out. */
export function encode(value: Json): string {
  if (value === null) return "!n";
  if (value === true) return "!t";
  if (value === false) return "!f";
  if (typeof value === "number")
    return Number.isFinite(value) ? String(value).replace("+", "") : "!n";
  if (typeof value === "string") return quote(value);
  if (isList(value)) return `!(${value.map(encode).join(",")})`;
  const members = Object.entries(value)
    .filter((member): member is [string, Json] => member[1] !== undefined)
    .map(([key, member]) => `${quote(key)}:${encode(member)}`);
  return `(${members.join(",")})`;
}

/** The value that a text stands for, or `undefined` where it stands for none. */
export function decode(text: string): Json | undefined {
  const reader = new Reader(text);
  const value = reader.value(0);
  return value !== undefined && reader.atEnd() ? value : undefined;
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function quote(text: string): string {
  return WORD.test(text) ? text : `'${text.replace(/[!']/g, "!$&")}'`;
}

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  atEnd(): boolean {
    return this.at === this.text.length;
  }

  value(depth: number): Json | undefined {
    if (depth > DEPTH_MAX) return undefined;
    if (this.take("!(")) return this.list(depth);
    if (this.take("(")) return this.members(depth);
    if (this.take("!n")) return null;
    if (this.take("!t")) return true;
    if (this.take("!f")) return false;
    const number = NUMBER.exec(this.text.slice(this.at, this.at + 40));
    if (number) {
      this.at += number[0].length;
      return Number(number[0]);
    }
    return this.word();
  }

  private take(mark: string): boolean {
    if (!this.text.startsWith(mark, this.at)) return false;
    this.at += mark.length;
    return true;
  }

  private word(): string | undefined {
    if (this.take("'")) {
      let made = "";
      while (this.at < this.text.length) {
        const mark = this.text.charAt(this.at);
        this.at += 1;
        if (mark === "'") return made;
        if (mark === "!") {
          made += this.text.charAt(this.at);
          this.at += 1;
        } else made += mark;
      }
      return undefined;
    }
    const start = this.at;
    while (this.at < this.text.length && !"(),:'!".includes(this.text.charAt(this.at)))
      this.at += 1;
    const found = this.text.slice(start, this.at);
    return WORD.test(found) ? found : undefined;
  }

  private list(depth: number): Json[] | undefined {
    const made: Json[] = [];
    if (this.take(")")) return made;
    for (;;) {
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      made.push(value);
      if (this.take(")")) return made;
      if (!this.take(",")) return undefined;
    }
  }

  private members(depth: number): Record<string, Json> | undefined {
    const made: [string, Json][] = [];
    if (this.take(")")) return {};
    for (;;) {
      const key = this.word();
      if (key === undefined || !this.take(":")) return undefined;
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      made.push([key, value]);
      // Not by assignment: a member named __proto__ is a member like any other.
      if (this.take(")")) return Object.fromEntries(made);
      if (!this.take(",")) return undefined;
    }
  }
}

/**
 * Keys of rows as one short text. Runs of whole numbers become `3-7` (or `7-3`), ids of 32
 * hexadecimal digits 22 letters, everything else stays and is escaped.
 */
export function packKeys(keys: readonly string[]): string {
  const parts: string[] = [];
  let n = 0;
  while (n < keys.length) {
    const key = keys[n] ?? "";
    const length = Math.max(runLength(keys, n, 1), runLength(keys, n, -1));
    if (length > 2) {
      parts.push(`${key}-${keys[n + length - 1] ?? key}`);
      n += length;
      continue;
    }
    parts.push(packKey(key));
    n += 1;
  }
  return parts.join(".");
}

/** What `packKeys` wrote; parts that cannot be read are left out, each key is there once. */
export function unpackKeys(text: string): string[] {
  const keys = new Set<string>();
  for (const part of text === "" ? [] : text.split(".")) {
    const range = /^(\d{1,9})-(\d{1,9})$/.exec(part);
    if (range) {
      const first = Number(range[1]);
      const last = Number(range[2]);
      if (Math.abs(last - first) > 100_000) continue;
      for (
        let key = first;
        first <= last ? key <= last : key >= last;
        key += first <= last ? 1 : -1
      ) {
        keys.add(String(key));
      }
    } else {
      const key = unpackKey(part);
      if (key !== undefined) keys.add(key);
    }
  }
  return [...keys];
}

function isNumber(text: string): boolean {
  return /^(?:0|[1-9]\d{0,8})$/.test(text);
}

function runLength(keys: readonly string[], start: number, stride: 1 | -1): number {
  const first = keys[start];
  if (first === undefined || !isNumber(first)) return 1;
  let length = 1;
  while (keys[start + length] === String(Number(first) + stride * length)) length += 1;
  return length;
}

function packKey(key: string): string {
  if (isNumber(key)) return key;
  if (/^[0-9a-f]{32}$/.test(key)) {
    const bytes = key.match(/../g) ?? [];
    const binary = String.fromCharCode(...bytes.map((byte) => parseInt(byte, 16)));
    return `~${btoa(binary).replaceAll("+", "-").replaceAll("/", "_").slice(0, 22)}`;
  }
  return `*${encodeURIComponent(key).replaceAll(".", "%2E")}`;
}

function unpackKey(part: string): string | undefined {
  if (isNumber(part)) return part;
  try {
    if (part.startsWith("*")) return decodeURIComponent(part.slice(1));
    if (!part.startsWith("~")) return undefined;
    const binary = atob(part.slice(1).replaceAll("-", "+").replaceAll("_", "/"));
    if (binary.length !== 16) return undefined;
    return Array.from(binary, (mark) => mark.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  } catch {
    return undefined;
  }
}
