/** Predictions to try: rows typed by the signature's fields, or as JSON, answered by the endpoint. */
import {
  Button,
  Input,
  makeStyles,
  Spinner,
  Switch,
  Text,
  Textarea,
  tokens,
} from "@fluentui/react-components";
import { AddRegular, DismissRegular, PlayRegular, WandRegular } from "@fluentui/react-icons";
import { useState } from "react";
import { asFailure } from "@/api/client.ts";
import { plural } from "@/lib/format.ts";
import { CodeBlock } from "@/parts/CodeBlock.tsx";
import type { Version } from "../queries.ts";
import { exampleOf, predict } from "./queries.ts";
import { plausible, requestOf, type Row, rowsOf, shownOf } from "./rows.ts";

/** Models with more inputs are asked in JSON. */
const FIELDS_MAX = 200;
const ROWS_MAX = 10;
/** Rows of an input example that are filled in. */
const FILLED = 2;

const useStyles = makeStyles({
  form: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalM, minWidth: 0 },
  title: { margin: 0 },
  bar: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
  },
  frame: { overflow: "auto", maxHeight: "420px" },
  table: { borderCollapse: "collapse", fontSize: tokens.fontSizeBase200 },
  cell: {
    paddingBlock: tokens.spacingVerticalXXS,
    paddingInlineEnd: tokens.spacingHorizontalM,
    textAlign: "start",
    fontWeight: tokens.fontWeightRegular,
    verticalAlign: "middle",
  },
  name: { minWidth: "120px", overflowWrap: "anywhere" },
  faint: { color: tokens.colorNeutralForeground3 },
  input: { width: "150px" },
  prediction: {
    paddingBlock: tokens.spacingVerticalS,
    fontFamily: tokens.fontFamilyMonospace,
    fontWeight: tokens.fontWeightSemibold,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
    overflowWrap: "anywhere",
  },
  json: { fontFamily: tokens.fontFamilyMonospace, "& textarea": { minHeight: "180px" } },
  failure: {
    color: tokens.colorPaletteRedForeground1,
    whiteSpace: "pre-wrap",
    overflowWrap: "anywhere",
  },
});

interface PreviewProps {
  readonly workspace: string;
  readonly version: Version;
  /** Told after every answer. */
  readonly onAsked: () => void;
}

export function PreviewForm({ workspace, version, onAsked }: PreviewProps) {
  const styles = useStyles();
  const fields = version.signature?.inputs ?? [];
  const hasForm = fields.length > 0 && fields.length <= FIELDS_MAX;
  const [rows, setRows] = useState<readonly Row[]>([fields.map(() => "")]);
  const [json, setJson] = useState<string | null>(
    hasForm ? null : requestOf(fields, [plausible(fields, 0)]),
  );
  const [answer, setAnswer] = useState<{ predictions?: unknown; failure?: string }>({});
  const [isBusy, setBusy] = useState(false);

  function edit(made: readonly Row[]) {
    setRows(made);
    setAnswer({});
  }

  async function fill() {
    let found: readonly Row[] | null = null;
    try {
      found = rowsOf(fields, await exampleOf(workspace, version));
    } catch {
      // Most models are logged without an example.
    }
    const made = found?.length ? found.slice(0, FILLED) : [plausible(fields, 0)];
    edit(made);
    if (json !== null) setJson(requestOf(fields, made));
  }

  function turn(isJson: boolean) {
    setAnswer({});
    if (isJson) {
      setJson(requestOf(fields, rows));
      return;
    }
    try {
      const read = rowsOf(fields, JSON.parse(json ?? ""));
      if (read?.length) setRows(read.slice(0, ROWS_MAX));
    } catch {
      // What cannot be read as rows leaves those that were typed.
    }
    setJson(null);
  }

  async function send() {
    setBusy(true);
    try {
      setAnswer({
        predictions: await predict(workspace, version, json ?? requestOf(fields, rows)),
      });
    } catch (error) {
      setAnswer({ failure: asFailure(error).message });
    }
    setBusy(false);
    onAsked();
  }

  return (
    <section className={styles.form} aria-label="Preview predictions">
      <Text as="h3" weight="semibold" className={styles.title}>
        Preview predictions
      </Text>
      <div className={styles.bar}>
        <Button size="small" icon={<WandRegular />} onClick={() => void fill()}>
          Autofill
        </Button>
        {json === null && (
          <Button
            size="small"
            icon={<AddRegular />}
            disabledFocusable={rows.length >= ROWS_MAX}
            onClick={() => edit([...rows, rows.at(-1) ?? []])}
          >
            Add row
          </Button>
        )}
        <Switch
          label="JSON"
          checked={json !== null}
          disabled={!hasForm}
          onChange={(_event, { checked }) => turn(checked)}
        />
        <Button
          size="small"
          appearance="primary"
          icon={isBusy ? <Spinner size="tiny" /> : <PlayRegular />}
          disabledFocusable={isBusy}
          onClick={() => void send()}
        >
          Get predictions
        </Button>
      </div>
      {json === null ? (
        <RowsTable version={version} rows={rows} onChange={edit} answer={answer.predictions} />
      ) : (
        <Textarea
          className={styles.json}
          aria-label="Request"
          value={json}
          onChange={(_event, { value }) => setJson(value)}
        />
      )}
      <div aria-live="polite">
        {answer.failure !== undefined && <Text className={styles.failure}>{answer.failure}</Text>}
        {answer.predictions !== undefined &&
          (json !== null || shownOf(answer.predictions, rows.length) === null) && (
            <CodeBlock
              label="Predictions"
              language="json"
              code={JSON.stringify({ predictions: answer.predictions }, null, 2)}
            />
          )}
      </div>
    </section>
  );
}

interface RowsProps {
  readonly version: Version;
  readonly rows: readonly Row[];
  readonly onChange: (rows: readonly Row[]) => void;
  readonly answer: unknown;
}

function RowsTable({ version, rows, onChange, answer }: RowsProps) {
  const styles = useStyles();
  const fields = version.signature?.inputs ?? [];
  const predictions = shownOf(answer, rows.length);
  const put = (place: number, at: number, text: string) =>
    onChange(rows.map((row, n) => (n === place ? row.with(at, text) : row)));
  return (
    <div
      className={styles.frame}
      role="region"
      aria-label={plural(rows.length, "row")}
      tabIndex={0}
    >
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col" className={styles.cell}>
              Input
            </th>
            {rows.map((_row, place) => (
              <th key={place} scope="col" className={styles.cell}>
                Row {place + 1}
                {rows.length > 1 && (
                  <Button
                    size="small"
                    appearance="subtle"
                    icon={<DismissRegular />}
                    aria-label={`Remove row ${place + 1}`}
                    onClick={() => onChange(rows.filter((_each, n) => n !== place))}
                  />
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {fields.map((field, at) => (
            <tr key={at}>
              <th scope="row" className={`${styles.cell} ${styles.name}`} dir="auto">
                {field.name === "" ? "(no name)" : field.name}{" "}
                <span className={styles.faint}>
                  {field.type}
                  {field.required ? "" : ", optional"}
                </span>
              </th>
              {rows.map((row, place) => (
                <td key={place} className={styles.cell}>
                  <Input
                    size="small"
                    className={styles.input}
                    aria-label={`${field.name}, row ${place + 1}`}
                    value={row[at] ?? ""}
                    onChange={(_event, { value }) => put(place, at, value)}
                  />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
        {predictions !== null && (
          <tfoot>
            <tr>
              <th scope="row" className={`${styles.cell} ${styles.prediction}`}>
                Prediction
              </th>
              {predictions.map((text, place) => (
                <td key={place} className={`${styles.cell} ${styles.prediction}`}>
                  {text}
                </td>
              ))}
            </tr>
          </tfoot>
        )}
      </table>
    </div>
  );
}
