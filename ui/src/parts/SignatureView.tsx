/** What a model takes and gives: columns or tensors with their types, and its parameters. */
import { makeStyles, Text, tokens } from "@fluentui/react-components";
import type { Shapes } from "@/api/client.ts";

type Signature = Shapes["Signature"];
type Field = Shapes["SchemaField"];

const SHOWN_MAX = 1000;

const useStyles = makeStyles({
  none: { color: tokens.colorNeutralForeground3 },
  frame: { maxHeight: "400px", overflow: "auto" },
  table: { width: "100%", borderCollapse: "collapse", fontSize: tokens.fontSizeBase200 },
  group: {
    textAlign: "start",
    paddingBlock: tokens.spacingVerticalXS,
    color: tokens.colorNeutralForeground2,
    fontWeight: tokens.fontWeightSemibold,
  },
  cell: {
    paddingBlock: tokens.spacingVerticalXS,
    paddingInlineEnd: tokens.spacingHorizontalM,
    borderTop: `1px solid ${tokens.colorNeutralStroke3}`,
    overflowWrap: "anywhere",
    textAlign: "start",
    verticalAlign: "top",
    fontWeight: tokens.fontWeightRegular,
  },
  type: { fontFamily: tokens.fontFamilyMonospace },
});

export function SignatureView({ signature }: { readonly signature: Signature | null }) {
  const styles = useStyles();
  if (signature === null) {
    return (
      <Text className={styles.none}>
        The model says nothing of its inputs and outputs; log it with a signature.
      </Text>
    );
  }
  return (
    <div className={styles.frame} tabIndex={0} role="region" aria-label="Signature">
      <table className={styles.table}>
        <Fields title="Inputs" fields={signature.inputs} />
        <Fields title="Outputs" fields={signature.outputs} />
        <Fields title="Parameters" fields={signature.params} />
      </table>
    </div>
  );
}

function Fields({ title, fields }: { readonly title: string; readonly fields: readonly Field[] }) {
  const styles = useStyles();
  if (fields.length === 0) return null;
  return (
    <tbody>
      <tr>
        <th colSpan={3} scope="rowgroup" className={styles.group}>
          {title} ({fields.length})
        </th>
      </tr>
      {fields.slice(0, SHOWN_MAX).map((field, n) => (
        <tr key={n}>
          <th scope="row" className={styles.cell} dir="auto">
            {field.name === "" ? <span className={styles.none}>(no name)</span> : field.name}
          </th>
          <td className={styles.cell}>
            <span className={styles.type}>{field.type}</span>
          </td>
          <td className={styles.cell}>
            {field.default !== null && field.default !== undefined ? (
              <code>= {JSON.stringify(field.default)}</code>
            ) : (
              <span className={styles.none}>{field.required ? "required" : "optional"}</span>
            )}
          </td>
        </tr>
      ))}
    </tbody>
  );
}
