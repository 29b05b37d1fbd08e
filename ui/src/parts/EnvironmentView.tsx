/** What a model needs around it: Python, libraries, and ways to load it. */
import { makeStyles, tokens } from "@fluentui/react-components";
import type { Shapes } from "@/api/client.ts";
import { CodeBlock } from "./CodeBlock.tsx";
import { Facts } from "./Facts.tsx";

const useStyles = makeStyles({
  all: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalM },
});

export interface EnvironmentViewProps {
  readonly environment: Shapes["Environment"];
  readonly flavors: readonly Shapes["Flavor"][];
}

export function EnvironmentView({ environment, flavors }: EnvironmentViewProps) {
  const styles = useStyles();
  const { python, mlflow, requirements, conda } = environment;
  const isKnown = python !== "" || mlflow !== "" || requirements.length > 0 || flavors.length > 0;
  if (!isKnown) return <>The model says nothing of its environment.</>;
  return (
    <div className={styles.all}>
      <Facts
        facts={[
          { word: "Python", what: python },
          { word: "MLflow", what: mlflow },
          ...flavors.map((flavor) => ({
            word: flavor.name,
            what: flavor.version === "" ? "can load it" : flavor.version,
          })),
        ]}
      />
      {requirements.length > 0 && (
        <details open={requirements.length < 12}>
          <summary>requirements.txt</summary>
          <CodeBlock code={requirements.join("\n")} label="Requirements" />
        </details>
      )}
      {conda !== "" && (
        <details>
          <summary>conda.yaml</summary>
          <CodeBlock code={conda} language="yaml" label="Conda environment" />
        </details>
      )}
    </div>
  );
}
