/**
 * Reads filters as the server does, to colour, complete and split them while people type.
 *
 * Owns a copy of the syntax in `heddle/search/grammar.py`; the server's answer stays the last word.
 * Always holds: any text gives comparisons and at most one fault, whose position lies in it;
 * `context` says for any place what could be written there.
 * Leaves to others: which keys and values exist (`complete`).
 */

export interface Comparison {
  /** Where the key begins and the comparison ends. */
  readonly from: number;
  readonly to: number;
  readonly key: string;
  readonly op: string;
  /** The values as they are written. */
  readonly values: readonly string[];
}

export interface Fault {
  readonly position: number;
  readonly message: string;
}

export interface Reading {
  readonly comparisons: readonly Comparison[];
  /** Ends of the parts that stand between ANDs outside of any parentheses. */
  readonly parts: readonly { readonly from: number; readonly to: number }[];
  readonly fault: Fault | null;
}

/** What could be written at a place: its kind, what stands there already, where that begins. */
export interface Context {
  readonly expects: "key" | "operator" | "value" | "join";
  readonly from: number;
  readonly to: number;
  readonly typed: string;
  /** The key of the comparison, where its operator or value is asked for. */
  readonly key: string;
}

type Kind = "word" | "text" | "name" | "number" | "symbol" | "open" | "close" | "comma" | "odd";

export interface Token {
  readonly kind: Kind;
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

export const OPERATORS = [
  "=",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "LIKE",
  "ILIKE",
  "IN",
  "BETWEEN",
  "MATCHES",
  "NOT LIKE",
  "NOT ILIKE",
  "NOT IN",
  "NOT BETWEEN",
  "NOT MATCHES",
  "IS NULL",
  "IS NOT NULL",
] as const;

const WORD = /[\p{L}\p{N}_.\-/:@#$%+]+/uy;
const NUMBER = /[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\p{L}\p{N}_.\-/:@#$%+])/uy;
const SYMBOL = /==|!=|<>|<=|>=|!~|[=<>~]/y;
const WORD_OPERATORS = new Set(["LIKE", "ILIKE", "IN", "BETWEEN", "MATCHES", "RLIKE", "REGEXP"]);
const KINDS: Readonly<Record<string, Kind>> = { "(": "open", ")": "close", ",": "comma" };

/** The words and marks of a filter; quoted parts of a key belong to its word. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  while (at < text.length) {
    const mark = text.charAt(at);
    if (/\s/.test(mark)) {
      at += 1;
      continue;
    }
    const from = at;
    const before = tokens[tokens.length - 1];
    let kind: Kind = KINDS[mark] ?? "odd";
    const symbol = kind === "odd" ? match(SYMBOL) : undefined;
    const number = kind === "odd" && isAfterOperator(before) ? match(NUMBER) : undefined;
    const word = kind === "odd" ? match(WORD) : undefined;
    if (mark === "'" || mark === '"' || mark === "`") {
      at = endOfQuote(text, at);
      kind = mark === "`" || !isAfterOperator(before) ? "name" : "text";
    } else if (symbol !== undefined) {
      at += symbol.length;
      kind = "symbol";
    } else if (number !== undefined) {
      at += number.length;
      kind = "number";
    } else if (word !== undefined) {
      at += word.length;
      kind = "word";
      if (word.endsWith(".") && '`"'.includes(text.charAt(at) || " ")) at = endOfQuote(text, at);
    } else at += 1;
    tokens.push({ kind, text: text.slice(from, at), from, to: at });
  }
  return tokens;
}

function isAfterOperator(before: Token | undefined): boolean {
  if (before === undefined) return false;
  if (before.kind === "symbol" || before.kind === "comma" || before.kind === "open") return true;
  const word = before.text.toUpperCase();
  return before.kind === "word" && (WORD_OPERATORS.has(word) || word === "AND");
}

/** Behind the closing mark, a doubled one being a mark within; the text's end if there is none. */
function endOfQuote(text: string, start: number): number {
  const mark = text.charAt(start);
  let at = start + 1;
  for (;;) {
    const end = text.indexOf(mark, at);
    if (end < 0) return text.length;
    if (text.charAt(end + 1) !== mark) return end + 1;
    at = end + 2;
  }
}

function isClosed(token: Token): boolean {
  const start = /[`"']/.exec(token.text)?.index ?? -1;
  if (start < 0) return true;
  const body = token.text.slice(start + 1);
  const mark = token.text.charAt(start);
  const marks = body.split(mark).length - 1;
  return body.endsWith(mark) && marks % 2 === 1;
}

/** Reads a whole filter. A blank one has no comparisons and no fault. */
export function read(text: string): Reading {
  return new Reader(text).read();
}

class Reader {
  private readonly tokens: Token[];
  private n = 0;
  private readonly comparisons: Comparison[] = [];
  private readonly parts: { from: number; to: number }[] = [];

  constructor(private readonly text: string) {
    this.tokens = tokenize(text);
  }

  read(): Reading {
    let fault: Fault | null = null;
    if (this.tokens.length > 0) {
      try {
        this.filter();
      } catch (error) {
        if (!(error instanceof Stop)) throw error;
        fault = { position: error.position, message: error.message };
      }
    }
    return { comparisons: this.comparisons, parts: fault === null ? this.parts : [], fault };
  }

  private filter(): void {
    const open: Token[] = [];
    let from = this.tokens[0]?.from ?? 0;
    let hasOr = false;
    for (;;) {
      while (this.isWord("NOT") || this.peek()?.kind === "open") {
        const token = this.next();
        if (token.kind === "open") open.push(token);
      }
      this.comparison();
      let end = this.tokens[this.n - 1]?.to ?? 0;
      while (this.peek()?.kind === "close") {
        const close = this.next();
        if (open.pop() === undefined) this.stop("This parenthesis was never opened", close);
        end = close.to;
      }
      const joint = this.peek();
      if (joint === undefined) {
        const unclosed = open.pop();
        if (unclosed) this.stop("This parenthesis is not closed", unclosed);
        this.parts.push({ from, to: end });
        break;
      }
      if (!this.isWord("AND") && !this.isWord("OR")) {
        this.stop(`Expected AND, OR or ${open.length > 0 ? ")" : "the end"}`, joint);
      }
      if (open.length === 0 && this.isWord("OR")) hasOr = true;
      if (open.length === 0 && this.isWord("AND")) {
        this.parts.push({ from, to: end });
        from = this.tokens[this.n + 1]?.from ?? this.text.length;
      }
      this.n += 1;
    }
    // An OR outside of parentheses binds weaker than every AND, so nothing can be taken apart.
    const first = this.parts[0];
    const last = this.parts[this.parts.length - 1];
    if (hasOr && first && last) this.parts.splice(0, Infinity, { from: first.from, to: last.to });
  }

  private comparison(): void {
    const first = this.key();
    const op = this.operator();
    const values: string[] = [];
    if (op.endsWith("BETWEEN")) {
      values.push(this.value(op));
      if (!this.isWord("AND")) this.stop("Expected AND and the upper end of BETWEEN");
      this.n += 1;
      values.push(this.value("AND"));
    } else if (op.endsWith("IN")) {
      if (this.peek()?.kind !== "open") this.stop(`Expected ( and a list of values after ${op}`);
      do {
        this.n += 1;
        values.push(this.value("("));
      } while (this.peek()?.kind === "comma");
      if (this.peek()?.kind !== "close") this.stop("Expected , or ) in the list");
      this.n += 1;
    } else if (!op.endsWith("NULL")) values.push(this.value(op));
    const to = this.tokens[this.n - 1]?.to ?? this.text.length;
    this.comparisons.push({ from: first.from, to, key: first.text, op, values });
  }

  private key(): Token {
    const token = this.peek();
    if (token?.kind !== "word" && token?.kind !== "name") {
      this.stop("Expected a field such as metrics.rmse, params.lr or status");
    }
    if (!isClosed(token))
      this.stop(`This name has no closing ${/[`"]/.exec(token.text)?.[0] ?? ""}`, token);
    this.n += 1;
    // `run name` is one name of two words.
    const second = this.peek();
    const third = this.tokens[this.n + 1];
    const isPair = second?.kind === "word" && !isKeyword(second) && third !== undefined;
    if (isPair && !token.text.includes(".") && (third.kind === "symbol" || isKeyword(third))) {
      this.n += 1;
      return { ...token, text: `${token.text} ${second.text}`, to: second.to };
    }
    return token;
  }

  private operator(): string {
    const token = this.peek();
    if (token?.kind === "symbol") {
      this.n += 1;
      return token.text;
    }
    const word = token?.text.toUpperCase() ?? "";
    if (WORD_OPERATORS.has(word)) {
      this.n += 1;
      return word;
    }
    if (word === "IS") {
      this.n += 1;
      const negated = this.isWord("NOT");
      if (negated) this.n += 1;
      if (!this.isWord("NULL")) this.stop("Expected NULL");
      this.n += 1;
      return negated ? "IS NOT NULL" : "IS NULL";
    }
    if (word === "NOT") {
      this.n += 1;
      const next = this.peek()?.text.toUpperCase() ?? "";
      if (!WORD_OPERATORS.has(next)) {
        this.stop("Expected LIKE, ILIKE, IN, BETWEEN or MATCHES after NOT");
      }
      this.n += 1;
      return `NOT ${next}`;
    }
    this.stop("Expected a comparison such as = or LIKE");
  }

  private value(after: string): string {
    const token = this.peek();
    if (token?.kind === "word") {
      this.stop(`Texts stand in quotes: '${token.text.slice(0, 40)}'`);
    }
    if (token?.kind !== "text" && token?.kind !== "number") {
      this.stop(`Expected a number or a quoted text after ${after}`);
    }
    if (!isClosed(token)) this.stop(`This text has no closing ${token.text.charAt(0)}`, token);
    this.n += 1;
    return token.text;
  }

  private peek(): Token | undefined {
    return this.tokens[this.n];
  }

  private next(): Token {
    const token = this.tokens[this.n] ?? this.stop("The filter ends too early");
    this.n += 1;
    return token;
  }

  private isWord(word: string): boolean {
    const token = this.peek();
    return token?.kind === "word" && token.text.toUpperCase() === word;
  }

  private stop(message: string, at: Token | undefined = this.peek()): never {
    throw new Stop(at?.from ?? this.text.length, message);
  }
}

class Stop extends Error {
  constructor(
    readonly position: number,
    message: string,
  ) {
    super(message);
  }
}

function isKeyword(token: Token): boolean {
  const word = token.text.toUpperCase();
  return token.kind === "word" && (WORD_OPERATORS.has(word) || /^(?:AND|OR|NOT|IS)$/.test(word));
}

/** What could be written at a place of a filter. */
export function contextAt(text: string, place: number): Context {
  const tokens = tokenize(text);
  const n = tokens.findIndex((token) => token.from < place && place <= token.to);
  const here = tokens[n];
  const isMark = here !== undefined && /^(?:symbol|open|close|comma)$/.test(here.kind);
  // A closed quotation is complete; what follows it is something new.
  const isDone = here?.kind === "text" && isClosed(here) && here.to === place;
  const inside = here !== undefined && !isMark && !isDone ? here : undefined;
  const before = tokens.filter((token) => token.to <= (inside?.from ?? place));
  const found = inside ?? { from: place, to: place };
  const typed = text.slice(found.from, place);
  const { expects, key } = expectationAfter(before);
  return { expects, key, from: found.from, to: found.to, typed };
}

function expectationAfter(before: readonly Token[]): Pick<Context, "expects" | "key"> {
  let expects: Context["expects"] = "key";
  let key = "";
  let op = "";
  let depth = 0;
  let count = 0;
  for (const token of before) {
    const word = token.text.toUpperCase();
    if (expects === "key") {
      if (token.kind === "word" && word === "NOT") continue;
      if (token.kind === "word" || token.kind === "name") {
        key = token.text;
        op = "";
        expects = "operator";
      }
    } else if (expects === "operator") {
      op = `${op} ${word}`.trim();
      count = 0;
      if (token.kind === "symbol" || WORD_OPERATORS.has(word)) expects = "value";
      else if (word === "NULL") expects = "join";
      else if (token.kind === "word" && word !== "IS" && word !== "NOT")
        key = `${key} ${token.text}`;
    } else if (expects === "value") {
      if (token.kind === "open") depth = 1;
      else if (token.kind === "text" || token.kind === "number") {
        count += 1;
        if (depth === 0 && !(op.endsWith("BETWEEN") && count < 2)) expects = "join";
      } else if (token.kind === "close") {
        depth = 0;
        expects = "join";
      }
    } else if (word === "AND" || word === "OR") expects = "key";
  }
  return { expects, key };
}
