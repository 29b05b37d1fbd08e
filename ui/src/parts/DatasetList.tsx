/** Data sets that a run used: what they were for, where they came from, their columns. */
import { Badge, makeStyles, Text, tokens } from "@fluentui/react-components";
import type { Shapes } from "@/api/client.ts";
import { CodeBlock } from "./CodeBlock.tsx";
import { Facts } from "./Facts.tsx";

type Dataset = Shapes["Dataset"];

const SHOWN_MAX = 20_000;

const useStyles = makeStyles({
  list: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalM },
  name: {
    display: "flex",
    alignItems: "center",
    flexWrap: "wrap",
    gap: tokens.spacingHorizontalS,
    overflowWrap: "anywhere",
    paddingBottom: tokens.spacingVerticalXS,
  },
  none: { color: tokens.colorNeutralForeground3 },
  code: { paddingBlock: tokens.spacingVerticalXS },
});

export function DatasetList({ datasets }: { readonly datasets: readonly Dataset[] }) {
  const styles = useStyles();
  if (datasets.length === 0) return <Text className={styles.none}>No data sets were logged</Text>;
  return (
    <div className={styles.list}>
      {datasets.map((dataset) => (
        <div key={`${dataset.name} ${dataset.digest} ${dataset.context}`}>
          <div className={styles.name}>
            <Text weight="semibold" dir="auto">
              {dataset.name}
            </Text>
            {dataset.context !== "" && (
              <Badge appearance="tint" color="informative">
                {dataset.context}
              </Badge>
            )}
          </div>
          <Facts
            facts={[
              { word: "Digest", what: <code>{dataset.digest}</code> },
              { word: "Kind of source", what: dataset.source_type },
              { word: "Size", what: profileText(dataset.profile) },
            ]}
          />
          <Folded title="Source" text={dataset.source} />
          <Folded title="Schema" text={dataset.schema} />
        </div>
      ))}
    </div>
  );
}

function Folded({ title, text }: { readonly title: string; readonly text: string }) {
  const styles = useStyles();
  if (text === "") return null;
  return (
    <details>
      <summary>{title}</summary>
      <div className={styles.code}>
        <CodeBlock code={prettyJson(text)} language="json" label={title} isWrapped />
      </div>
    </details>
  );
}

function prettyJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2).slice(0, SHOWN_MAX);
  } catch {
    return text.slice(0, SHOWN_MAX);
  }
}

/** `num_rows: 100, num_elements: 400`; as it is where it is no flat JSON. */
function profileText(text: string): string {
  try {
    const said: unknown = JSON.parse(text);
    if (typeof said !== "object" || said === null) return text;
    return Object.entries(said)
      .filter(([, value]) => typeof value !== "object")
      .map(([key, value]) => `${key.replaceAll("_", " ")} ${String(value)}`)
      .join(", ");
  } catch {
    return text.slice(0, 400);
  }
}
