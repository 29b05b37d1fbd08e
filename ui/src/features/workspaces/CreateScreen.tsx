/** Create: everything that can be made, by what it is for. */
import { makeStyles, Text, tokens } from "@fluentui/react-components";
import { useState } from "react";
import { useWorkspace } from "@/lib/workspace.ts";
import { Screen } from "@/parts/Screen.tsx";
import { CreateItemDialog } from "./CreateItemDialog.tsx";
import { GalleryCards, type ItemKind } from "./Gallery.tsx";

const useStyles = makeStyles({
  page: { maxWidth: "880px", marginInline: "auto" },
  title: { marginBlock: tokens.spacingVerticalL },
  about: { color: tokens.colorNeutralForeground3, marginBottom: tokens.spacingVerticalXXL },
});

export function CreateScreen() {
  const styles = useStyles();
  const workspace = useWorkspace();
  const [kind, setKind] = useState<ItemKind | null>(null);
  return (
    <Screen title="Create">
      <div className={styles.page}>
        <Text as="h1" size={600} weight="semibold" block className={styles.title}>
          Create
        </Text>
        <Text block className={styles.about}>
          New items go into the workspace {workspace}; choose another at the top.
        </Text>
        <GalleryCards heading="Data Science" onChoose={setKind} />
      </div>
      {kind && <CreateItemDialog workspace={workspace} kind={kind} onClose={() => setKind(null)} />}
    </Screen>
  );
}
