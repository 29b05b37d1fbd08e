import { describe, expect, test } from "vitest";
import { application, asking, registration } from "./snippets.ts";

const signature = {
  inputs: ["age", "body mass"].map((name) => ({
    name,
    type: "double",
    required: true,
    default: null,
  })),
  outputs: [],
  params: [],
};

function codeOf(id: string, given: object = {}): string {
  const version = { model: 'it\'s "odd"', version: 3, aliases: [], signature };
  const applied = { address: "http://127.0.0.1:5000", workspace: "default", version, ...given };
  return application(applied).find((snippet) => snippet.id === id)?.code ?? "";
}

describe("names stand in the code as its language writes them", () => {
  test("SQL doubles quotes and quotes names of columns", () => {
    expect(codeOf("sql")).toContain(`PREDICT('it''s "odd"/3', age, "body mass")`);
  });
  test("a shell gets one word", () => {
    expect(codeOf("shell")).toContain(`heddle predict 'it'\\''s "odd"/3' input.parquet`);
  });
  test("Python gets a text", () => {
    expect(codeOf("mlflow")).toContain(`load_model("models:/it's \\"odd\\"/3")`);
    expect(codeOf("pyspark")).toContain(`inputCols=["age", "body mass"]`);
  });
});

test("an alias takes the number's place", () => {
  expect(codeOf("shell", { alias: "champion" })).toContain("@champion'");
  expect(codeOf("sql", { alias: "champion" })).toContain("@champion'");
});

test("another workspace is said", () => {
  expect(codeOf("python", { workspace: "team-a" })).toContain('workspace="team-a"');
  expect(codeOf("mlflow", { workspace: "team-a" })).toContain('mlflow.set_workspace("team-a")');
  expect(codeOf("shell", { workspace: "team-a" })).toContain("--workspace team-a");
  expect(registration("http://h", "default", "m")).not.toContain("set_workspace");
});

test("a model without a signature is applied to every column", () => {
  const version = { model: "m", version: 1, aliases: [], signature: null };
  expect(codeOf("sql", { version })).toContain("PREDICT('m/1', *)");
});

test("an endpoint is asked at its address, with a row of the model's columns", () => {
  const version = { model: "it's", version: 3, aliases: ["champion"], signature };
  const given = { address: "http://127.0.0.1:5000", workspace: "default", version };
  const [curl, python] = asking(given);
  const path = "/api/v1/workspaces/default/models/it's/versions";
  expect(python?.code).toContain(`"http://127.0.0.1:5000${path}/3/endpoint/score"`);
  expect(curl?.code).toContain("models/it'\\''s/versions/3/endpoint/score'");
  expect(curl?.code).toContain(`"columns": ["age", "body mass"], "data": [[..., ...]]`);
  const named = asking({ ...given, alias: "champion" })[1];
  expect(named?.code).toContain(`${path}/@champion/endpoint/score`);
  const unsigned = { ...version, signature: null };
  expect(asking({ ...given, version: unsigned })[0]?.code).toContain(`{"inputs": [...]}`);
  expect(codeOf("curl")).toContain("/versions/3/endpoint/score'");
});
