/** What a job did, to what, with which result: its receipt as people read it. */
import { makeStyles, Text, tokens } from "@fluentui/react-components";
import { countText, shortNumber } from "@/lib/format.ts";
import { Card } from "@/parts/Card.tsx";
import { Facts } from "@/parts/Facts.tsx";
import { Histogram } from "@/parts/Histogram.tsx";
import { KeyValueTable } from "@/parts/KeyValueTable.tsx";
import { durationText } from "@/parts/table/cellText.ts";
import type { Drift, Receipt } from "./queries.ts";

/** From here on a population stability index is called a shift, as is customary. */
const PSI_HIGH = 0.2;

const useStyles = makeStyles({
  columns: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fit, minmax(min(400px, 100%), 1fr))",
    gap: tokens.spacingHorizontalL,
    alignItems: "start",
  },
  spreads: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fit, minmax(min(260px, 100%), 1fr))",
    gap: tokens.spacingHorizontalXL,
  },
  faint: { color: tokens.colorNeutralForeground2 },
  frame: { overflow: "auto", maxHeight: "360px" },
  table: { width: "100%", borderCollapse: "collapse", fontSize: tokens.fontSizeBase200 },
  cell: {
    paddingBlock: tokens.spacingVerticalXS,
    paddingInlineEnd: tokens.spacingHorizontalM,
    borderTop: `1px solid ${tokens.colorNeutralStroke3}`,
    textAlign: "start",
    fontWeight: tokens.fontWeightRegular,
    overflowWrap: "anywhere",
  },
  number: { textAlign: "end", fontVariantNumeric: "tabular-nums" },
  shifted: { color: tokens.colorStatusDangerForeground1 },
  warnings: { margin: 0, paddingInlineStart: tokens.spacingHorizontalL },
});

export function ReceiptView({ receipt }: { readonly receipt: Receipt }) {
  const styles = useStyles();
  const { predictions = [], inputs = [], drift = [], libraries = {} } = receipt;
  return (
    <>
      <div className={styles.columns}>
        <Card title="Receipt">
          <Verdict receipt={receipt} />
        </Card>
        <Card title="Predictions">
          {predictions.length === 0 ? (
            <Text className={styles.faint}>Nothing was predicted</Text>
          ) : (
            <div className={styles.spreads}>
              {predictions.map((spread) => (
                <Histogram key={spread.column} spread={spread} />
              ))}
            </div>
          )}
        </Card>
      </div>
      <div className={styles.columns}>
        <Card title="Drift">
          <DriftTable drift={drift} />
        </Card>
        <Card title="Libraries">
          <KeyValueTable label="Libraries" pairs={libraries} none="None were noted" />
        </Card>
      </div>
      {inputs.length > 0 && (
        <Card title="Inputs">
          <div className={styles.spreads}>
            {inputs.map((spread) => (
              <Histogram key={spread.column} spread={spread} />
            ))}
          </div>
        </Card>
      )}
    </>
  );
}

function Verdict({ receipt }: { readonly receipt: Receipt }) {
  const styles = useStyles();
  const { rows = 0, started_ms: start = 0, ended_ms: end = 0, warnings = [] } = receipt;
  const casts = Object.entries(receipt.casts ?? {}).map(([name, type]) => `${name} to ${type}`);
  const { snapshot } = receipt.input ?? {};
  const perSecond = end > start ? (rows * 1000) / (end - start) : null;
  return (
    <Facts
      facts={[
        { word: "Rows", what: countText(rows) },
        { word: "Time", what: durationText(end - start) },
        {
          word: "Rows a second",
          what: perSecond === null ? null : countText(Math.round(perSecond)),
        },
        {
          word: "Schema",
          what:
            casts.length === 0 && warnings.length === 0
              ? "The table fits the model as it is"
              : "The table fits the model, with what is said here",
        },
        { word: "Casts", what: casts.join(", ") },
        { word: "Not used", what: receipt.extra?.join(", ") },
        { word: "Optional, absent", what: receipt.absent?.join(", ") },
        {
          word: "Warnings",
          what: warnings.length > 0 && (
            <ul className={styles.warnings}>
              {warnings.map((warning, at) => (
                <li key={at}>{warning}</li>
              ))}
            </ul>
          ),
        },
        {
          word: "Model digest",
          what: receipt.model?.digest && (
            <code title={receipt.model.digest}>{receipt.model.digest.slice(0, 16)}…</code>
          ),
        },
        {
          word: "Input snapshot",
          what: typeof snapshot === "string" && snapshot !== "" && (
            <code title={snapshot}>{snapshot.slice(0, 40)}</code>
          ),
        },
      ].map((fact) => ({ ...fact, what: fact.what === false ? null : fact.what }))}
    />
  );
}

function DriftTable({ drift }: { readonly drift: readonly Drift[] }) {
  const styles = useStyles();
  if (drift.length === 0) {
    return (
      <Text className={styles.faint}>
        Not known: the model was logged without an input example to compare with.
      </Text>
    );
  }
  const cell = styles.cell;
  const number = `${styles.cell} ${styles.number}`;
  return (
    <div className={styles.frame} tabIndex={0} role="region" aria-label="Drift of inputs">
      <table className={styles.table}>
        <thead>
          <tr>
            <th className={cell}>Column</th>
            <th className={number} title="Share of rows outside the example's range">
              Outside
            </th>
            <th className={number} title="Kolmogorov-Smirnov distance">
              KS
            </th>
            <th className={number} title="Population stability index">
              PSI
            </th>
          </tr>
        </thead>
        <tbody>
          {drift.map(({ column, outside, ks, psi }) => (
            <tr key={column}>
              <th scope="row" className={cell} dir="auto">
                {column}
              </th>
              <td className={number}>{`${shortNumber(outside * 100)} %`}</td>
              <td className={number}>{typeof ks === "number" ? shortNumber(ks) : "–"}</td>
              <td className={number}>
                {typeof psi === "number" ? (
                  <span className={psi >= PSI_HIGH ? styles.shifted : undefined}>
                    {shortNumber(psi)}
                    {psi >= PSI_HIGH && " shifted"}
                  </span>
                ) : (
                  "–"
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
