/** A plan as code: a script, or a notebook of the same cells. */
import type { Shapes } from "@/api/client.ts";

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

/** Python that does what the plan says. */
export function scriptOf(address: string, workspace: string, plan: Shapes["JobPlan"]): string {
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
export function notebookOf(script: string, title: string): string {
  const source = (text: string) => text.trimEnd().split(/(?<=\n)/);
  const code = (id: string, text: string) => ({
    cell_type: "code",
    id,
    execution_count: null,
    metadata: {},
    outputs: [],
    source: source(text),
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
        code("install", "%pip install --quiet 'heddle-ml[predict]'"),
        code("apply", script),
      ],
    },
    null,
    1,
  );
}
