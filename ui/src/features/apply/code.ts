/** A plan as code: a script or a command, or a notebook of the same. */
import type { Shapes } from "@/api/client.ts";
import { shellWord } from "@/lib/shell.ts";

/** A value of JSON as Python writes it. */
function py(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(py).join(", ")}]`;
  if (typeof value === "object") {
    const pairs = Object.entries(value).map(([name, each]) => `${py(name)}: ${py(each)}`);
    return `{${pairs.join(", ")}}`;
  }
  return JSON.stringify(value);
}

/** Code that does what a plan says. */
export interface Code {
  readonly text: string;
  readonly language: "python" | "shell";
}

/** Python where this machine predicts; on Spark the command, which sets Spark up. */
export function codeOf(address: string, workspace: string, plan: Shapes["JobPlan"]): Code {
  return plan.engine === "spark"
    ? { text: commandOf(address, workspace, plan), language: "shell" }
    : { text: scriptOf(address, workspace, plan), language: "python" };
}

function commandOf(address: string, workspace: string, plan: Shapes["JobPlan"]): string {
  const { output } = plan;
  const listed = (names: readonly string[] | null | undefined): string | undefined =>
    names?.join(",");
  const options: [string, string | undefined][] = [
    ["engine", plan.engine],
    ...pairsOf(plan.mapping).map(([to, from]): [string, string] => [
      "map",
      `${to}=${String(from)}`,
    ]),
    ...pairsOf(plan.params).map(([name, value]): [string, string] => [
      "param",
      `${name}=${JSON.stringify(value)}`,
    ]),
    ...(plan.casts ?? []).map((column): [string, string] => ["cast", column]),
    ["mode", output.mode === "create" ? undefined : output.mode],
    ["key", listed(output.key)],
    ["columns", listed(output.columns)],
    ["predictions", listed(output.predictions)],
    ["server", address],
    ["workspace", workspace === "default" ? undefined : workspace],
  ];
  const words = [plan.model, plan.input.address, output.address].map(shellWord).join(" ");
  const given = options.flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${shellWord(value)}`],
  );
  return `${[`heddle predict ${words}`, ...given].join(" \\\n  ")}\n`;
}

function pairsOf(record: object | null | undefined): [string, unknown][] {
  return Object.entries(record ?? {});
}

function scriptOf(address: string, workspace: string, plan: Shapes["JobPlan"]): string {
  const { output } = plan;
  const named: [string, unknown][] = [
    ["mapping", plan.mapping],
    ["params", plan.params],
    ["casts", plan.casts],
    ["columns", output.columns ?? undefined],
    ["predictions", output.predictions],
    ["mode", output.mode === "create" ? undefined : output.mode],
    ["key", output.key],
    ["server", address],
    ["workspace", workspace === "default" ? undefined : workspace],
  ];
  const lines = [
    py(plan.model),
    py(plan.input.address),
    py(output.address),
    ...named
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${py(value)}`),
  ];
  return `import heddle

receipt = heddle.predict(
${lines.map((line) => `    ${line},`).join("\n")}
)
print(receipt)
`;
}

/** A notebook with that code, as nbformat 4.5 has it: https://nbformat.readthedocs.io. */
export function notebookOf({ text, language }: Code, title: string): string {
  const isShell = language === "shell";
  const source = (lines: string) => lines.trimEnd().split(/(?<=\n)/);
  const code = (id: string, lines: string) => ({
    cell_type: "code",
    id,
    execution_count: null,
    metadata: {},
    outputs: [],
    source: source(lines),
  });
  return JSON.stringify(
    {
      nbformat: 4,
      nbformat_minor: 5,
      metadata: {
        kernelspec: { name: "python3", display_name: "Python 3", language: "python" },
        language_info: { name: "python" },
      },
      cells: [
        { cell_type: "markdown", id: "about", metadata: {}, source: [`# ${title}`] },
        code("install", `%pip install --quiet 'heddle-ml[predict${isShell ? ",spark" : ""}]'`),
        code("apply", isShell ? `%%sh\n${text}` : text),
      ],
    },
    null,
    1,
  );
}
