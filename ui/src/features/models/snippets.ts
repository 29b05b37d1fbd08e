/**
 * Code that people copy: how a version is registered, how it is applied.
 *
 * Always holds: names stand in the code as that language writes them, whatever marks they hold.
 */
import { shellWord } from "@/lib/shell.ts";
import { addressOf } from "@/api/client.ts";
import type { Version } from "./queries.ts";

export interface Snippet {
  readonly id: string;
  readonly label: string;
  readonly language: string;
  readonly code: string;
}

export interface Applied {
  readonly address: string;
  readonly workspace: string;
  readonly version: Pick<Version, "model" | "version" | "aliases" | "signature">;
  /** Such as `champion`; the number when left out. */
  readonly alias?: string;
}

/** A text as Python writes it. */
function py(text: string): string {
  return JSON.stringify(text);
}

/** A text as SQL writes it. */
function sql(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A name as SQL writes it. */
function sqlName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

function setUp({ address, workspace }: Pick<Applied, "address" | "workspace">): string {
  const chosen = workspace === "default" ? "" : `mlflow.set_workspace(${py(workspace)})\n`;
  return `mlflow.set_tracking_uri(${py(address)})\n${chosen}`;
}

/** Names of the input columns; empty where the model has none. */
function columnsOf({ version }: Applied): string[] {
  return version.signature?.inputs.map((field) => field.name).filter((name) => name !== "") ?? [];
}

/** How an empty model gets its first version. */
export function registration(address: string, workspace: string, model: string): string {
  return `import mlflow
from mlflow.models import infer_signature
from sklearn.datasets import make_regression
from sklearn.ensemble import RandomForestRegressor

${setUp({ address, workspace })}
X, y = make_regression(n_features=4, random_state=0)
params = {"n_estimators": 50, "random_state": 42}

with mlflow.start_run():
    model = RandomForestRegressor(**params).fit(X, y)
    mlflow.log_params(params)
    mlflow.log_metric("r2", model.score(X, y))
    mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(X, model.predict(X)),
        registered_model_name=${py(model)},
    )
`;
}

/** How a version is applied to tables, in every way that there is. */
export function application(applied: Applied): Snippet[] {
  const { address, workspace, version, alias } = applied;
  const name = version.model;
  const number = String(version.version);
  const named = alias === undefined ? `${name}/${number}` : `${name}@${alias}`;
  const uri = `models:/${named}`;
  const columns = columnsOf(applied);
  const listed = columns.map(py).join(", ");
  const args = columns.length === 0 ? "*" : columns.map(sqlName).join(", ");
  const there = workspace === "default" ? "" : ` --workspace ${shellWord(workspace)}`;
  return [
    {
      id: "python",
      label: "Python",
      language: "python",
      code: `import heddle

heddle.predict(
    ${py(named)},
    "input.parquet",
    "predictions.parquet",
    server=${py(address)},
${workspace === "default" ? "" : `    workspace=${py(workspace)},\n`})
`,
    },
    {
      id: "pyspark",
      label: "PySpark",
      language: "python",
      code: `from heddle.spark import ModelTransformer

predict = ModelTransformer(
${columns.length === 0 ? "" : `    inputCols=[${listed.length > 60 ? `\n        ${columns.map(py).join(",\n        ")},\n    ` : listed}],\n`}    outputCol="prediction",
    modelName=${py(name)},
    ${alias === undefined ? `modelVersion=${number}` : `modelAlias=${py(alias)}`},
    server=${py(address)},
${workspace === "default" ? "" : `    workspace=${py(workspace)},\n`})
scored = predict.transform(spark.read.parquet("input.parquet"))
scored.write.parquet("predictions")
`,
    },
    {
      id: "sql",
      label: "SQL",
      language: "sql",
      code: `SELECT *, PREDICT(${sql(named)}, ${args}) AS prediction
FROM 'input.parquet'
`,
    },
    {
      id: "shell",
      label: "Command line",
      language: "shell",
      code: `heddle predict ${shellWord(named)} input.parquet predictions.parquet --server ${shellWord(address)}${there}
`,
    },
    {
      id: "mlflow",
      label: "MLflow",
      language: "python",
      code: `import mlflow
import pandas as pd

${setUp(applied)}
model = mlflow.pyfunc.load_model(${py(uri)})
predictions = model.predict(pd.read_parquet("input.parquet")${columns.length === 0 ? "" : `[${listed.length > 60 ? `[\n    ${columns.map(py).join(",\n    ")},\n]` : `[${listed}]`}]`})
`,
    },
    ...asking(applied)
      .filter(({ id }) => id === "curl")
      .map((snippet) => ({ ...snippet, label: "Request" })),
  ];
}

/** Code that asks a version's endpoint, which answers while the version is active. */
export function asking({ address, workspace, version, alias }: Applied): Snippet[] {
  const columns = version.signature?.inputs.map(({ name }) => name).filter((name) => name !== "");
  const body = columns?.length
    ? `{"dataframe_split": {"columns": [${columns.map((name) => JSON.stringify(name)).join(", ")}], "data": [[${columns.map(() => "...").join(", ")}]]}}`
    : '{"inputs": [...]}';
  const named = alias === undefined ? String(version.version) : `@${alias}`;
  const place = addressOf(workspace, "models", version.model, "versions", named);
  const uri = `${address}${place.replace("%40", "@")}/endpoint/score`;
  return [
    {
      id: "curl",
      label: "curl",
      language: "shell",
      code: `curl ${shellWord(uri)} \\
  --header 'Content-Type: application/json' \\
  --data ${shellWord(body)}
`,
    },
    {
      id: "python",
      label: "Python",
      language: "python",
      code: `import requests

answer = requests.post(
    ${py(uri)},
    json=${body},
)
answer.raise_for_status()
predictions = answer.json()["predictions"]
`,
    },
  ];
}
