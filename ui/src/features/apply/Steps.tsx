/** Steps of the wizard between the table that is read and the end. */
import {
  Button,
  Checkbox,
  Field,
  Input,
  makeStyles,
  Select,
  Text,
  tokens,
} from "@fluentui/react-components";
import { ArrowDownloadRegular } from "@fluentui/react-icons";
import { useId } from "react";
import type { Shapes } from "@/api/client.ts";
import { CodeBlock } from "@/parts/CodeBlock.tsx";
import { saveFile } from "@/parts/chart/saveFile.ts";
import { codeOf, notebookOf } from "./code.ts";
import { type Draft, type Engine, fitOf, type Mode, planOf } from "./draft.ts";
import type { Version } from "./queries.ts";

const MODES: Readonly<Record<Mode, string>> = {
  create: "Create a new table",
  overwrite: "Overwrite what is there",
  append: "Append to what is there",
  merge: "Merge on a key",
};

export const ENGINES: Readonly<Record<Engine, string>> = {
  local: "The worker's machine",
  spark: "Apache Spark",
};
const NEEDS: Readonly<Record<Engine, string>> = {
  local: "All its cores; memory stays the same however long the table is.",
  spark:
    "For tables that outgrow one machine. The worker needs heddle-ml[spark] and a Spark that is configured there (SPARK_HOME, SPARK_CONF_DIR); executors read Parquet and Delta by themselves where they see the same files. The output is a folder.",
};

const useStyles = makeStyles({
  frame: { overflow: "auto" },
  table: { width: "100%", borderCollapse: "collapse" },
  cell: {
    textAlign: "start",
    fontWeight: tokens.fontWeightRegular,
    paddingBlock: tokens.spacingVerticalXS,
    paddingInlineEnd: tokens.spacingHorizontalM,
    borderTop: `1px solid ${tokens.colorNeutralStroke3}`,
    "@media (max-width: 480px)": { paddingInlineEnd: tokens.spacingHorizontalS },
  },
  faint: { color: tokens.colorNeutralForeground3 },
  bad: { color: tokens.colorStatusDangerForeground1 },
  choice: { minWidth: "180px", "@media (max-width: 480px)": { minWidth: "104px" } },
  checks: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fill, minmax(200px, 1fr))",
    maxHeight: "320px",
    overflow: "auto",
  },
  wide: { maxWidth: "640px" },
  ways: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalM },
});

export interface StepProps {
  readonly workspace: string;
  readonly version: Version;
  readonly draft: Draft;
  readonly change: (changes: Partial<Draft>) => void;
  /** Of the input table; empty while nobody has read it. */
  readonly columns: readonly Shapes["TableColumn"][];
}

export function MappingStep({ version, draft, change, columns }: StepProps) {
  const styles = useStyles();
  const fields = version.signature?.inputs.filter((field) => field.name !== "") ?? [];
  const params = version.signature?.params ?? [];
  return (
    <>
      {fields.length === 0 ? (
        <Text>The model names no columns, so it gets the table&apos;s columns in their order.</Text>
      ) : (
        <div className={styles.frame} tabIndex={0} role="region" aria-label="Mapping">
          <table className={styles.table}>
            <thead>
              <tr>
                <th className={styles.cell}>The model takes</th>
                <th className={styles.cell}>Column of the table</th>
                <th className={styles.cell}>Type</th>
              </tr>
            </thead>
            <tbody>
              {fields.map((field) => (
                <tr key={field.name}>
                  <th scope="row" className={styles.cell} dir="auto">
                    {field.name}{" "}
                    <Text size={200} className={styles.faint}>
                      {field.type}
                      {!field.required && ", optional"}
                    </Text>
                  </th>
                  <td className={styles.cell}>
                    <ColumnChoice field={field} draft={draft} change={change} columns={columns} />
                  </td>
                  <td className={styles.cell}>
                    <FitOf field={field} draft={draft} change={change} columns={columns} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {params.map((param) => (
        <Field key={param.name} label={`Parameter ${param.name} (${param.type})`}>
          <Input
            className={styles.wide}
            value={draft.params[param.name] ?? ""}
            placeholder={
              param.default === undefined || param.default === null
                ? ""
                : JSON.stringify(param.default)
            }
            onChange={(_event, { value }) =>
              change({ params: { ...draft.params, [param.name]: value } })
            }
          />
        </Field>
      ))}
    </>
  );
}

type FieldProps = Pick<StepProps, "draft" | "change" | "columns"> & {
  readonly field: Shapes["SchemaField"];
};

function ColumnChoice({ field: { name }, draft, change, columns }: FieldProps) {
  const styles = useStyles();
  const value = draft.mapping[name] ?? "";
  const choose = (from: string) =>
    change({
      mapping: { ...draft.mapping, [name]: from },
      casts: draft.casts.filter((cast) => cast !== name),
    });
  const given = { className: styles.choice, "aria-label": `Column for ${name}`, value };
  if (columns.length === 0) {
    return (
      <Input
        {...given}
        size="small"
        placeholder={name}
        onChange={(_event, data) => choose(data.value)}
      />
    );
  }
  return (
    <Select {...given} size="small" onChange={(_event, data) => choose(data.value)}>
      <option value="">(none)</option>
      {columns.map((column) => (
        <option key={column.name} value={column.name}>
          {column.name}
        </option>
      ))}
    </Select>
  );
}

function FitOf({ field, draft, change, columns }: FieldProps) {
  const styles = useStyles();
  const column = columns.find((each) => each.name === draft.mapping[field.name]);
  if (column === undefined) return <span className={styles.faint}>–</span>;
  switch (fitOf(field.type, column.type)) {
    case "fits":
      return <span>{column.type} fits</span>;
    case "cast":
      return (
        <Checkbox
          label={`Cast ${column.type} to ${field.type}`}
          checked={draft.casts.includes(field.name)}
          onChange={(_event, { checked }) =>
            change({
              casts: checked
                ? [...draft.casts, field.name]
                : draft.casts.filter((cast) => cast !== field.name),
            })
          }
        />
      );
    case "unfit":
      return <span className={styles.bad}>{column.type} does not fit</span>;
    default:
      return <span className={styles.faint}>{column.type}, looked at when it runs</span>;
  }
}

export function OutputStep({ draft, change, columns }: StepProps) {
  const styles = useStyles();
  return (
    <>
      <Field
        label="Address of the output table"
        hint="Under the server's data roots. The ending says the format: .parquet, .csv, .jsonl, .arrow; a folder is a Delta table or Parquet files as what is there."
        className={styles.wide}
      >
        <Input
          value={draft.output}
          placeholder="scored.parquet"
          onChange={(_event, { value }) => change({ output: value })}
        />
      </Field>
      <Field label="Mode" className={styles.wide}>
        <Select
          value={draft.mode}
          onChange={(_event, { value }) => change({ mode: value as Mode })}
        >
          {Object.entries(MODES).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </Select>
      </Field>
      <Field label="Engine" hint={NEEDS[draft.engine]} className={styles.wide}>
        <Select
          value={draft.engine}
          onChange={(_event, { value }) => change({ engine: value as Engine })}
        >
          {Object.entries(ENGINES).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </Select>
      </Field>
      {draft.mode === "merge" && (
        <Field label="Key columns" hint="Names with commas between." className={styles.wide}>
          <Input
            defaultValue={draft.key.join(", ")}
            placeholder={columns[0]?.name ?? "id"}
            onChange={(_event, { value }) =>
              change({
                key: value
                  .split(",")
                  .map((name) => name.trim())
                  .filter((name) => name !== ""),
              })
            }
          />
        </Field>
      )}
    </>
  );
}

export function OutputColumnsStep({ version, draft, change, columns }: StepProps) {
  const styles = useStyles();
  const keep = useId();
  const outputs = version.signature?.outputs.map(({ name }) => name).filter((name) => name !== "");
  return (
    <>
      <Field
        label="Names of the columns of predictions"
        hint="With commas between; the model's own when empty."
        className={styles.wide}
      >
        <Input
          value={draft.predictions}
          placeholder={outputs?.join(", ") === "" ? "predictions" : outputs?.join(", ")}
          onChange={(_event, { value }) => change({ predictions: value })}
        />
      </Field>
      {columns.length === 0 ? (
        <Text>All columns of the input are kept beside the predictions.</Text>
      ) : (
        <div>
          <Text id={keep}>Columns of the input to keep</Text>
          <div role="group" aria-labelledby={keep} className={styles.checks}>
            {columns.map(({ name }) => (
              <Checkbox
                key={name}
                label={name}
                checked={!draft.dropped.includes(name)}
                onChange={(_event, { checked }) =>
                  change({
                    dropped: checked
                      ? draft.dropped.filter((each) => each !== name)
                      : [...draft.dropped, name],
                  })
                }
              />
            ))}
          </div>
        </div>
      )}
    </>
  );
}

export function CodeStep({ workspace, version, draft, columns }: StepProps) {
  const styles = useStyles();
  const code = codeOf(window.location.origin, workspace, planOf(draft, columns));
  const title = `Apply ${version.model}, version ${version.version}`;
  const name = `apply-${version.model}-${version.version}`;
  return (
    <>
      <CodeBlock label="Code to apply" language={code.language} code={code.text} />
      <div className={styles.ways}>
        <Button
          icon={<ArrowDownloadRegular />}
          onClick={() =>
            saveFile(
              new Blob([notebookOf(code, title)], { type: "application/x-ipynb+json" }),
              `${name}.ipynb`,
            )
          }
        >
          Download notebook
        </Button>
        <Button
          icon={<ArrowDownloadRegular />}
          onClick={() => {
            const [type, ending] =
              code.language === "shell" ? ["text/x-sh", "sh"] : ["text/x-python", "py"];
            saveFile(new Blob([code.text], { type }), `${name}.${ending}`);
          }}
        >
          Download script
        </Button>
      </div>
    </>
  );
}
