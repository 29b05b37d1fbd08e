/** The frame around every screen: header, rail, and what follows the workspace's changes. */
import { makeStyles, tokens } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { Outlet } from "@tanstack/react-router";
import { useEffect, useState, useSyncExternalStore } from "react";
import { followWorkspace, isServerAway, onServerAway } from "@/api/events.ts";
import { useShortcuts } from "@/lib/keyboard.ts";
import { rememberWorkspace } from "@/lib/addressed.ts";
import { useWorkspace } from "@/lib/workspace.ts";
import { Notices } from "@/parts/Notices.tsx";
import { ConnectionBar } from "./ConnectionBar.tsx";
import { Header } from "./Header.tsx";
import { Palette } from "./Palette.tsx";
import { Rail } from "./Rail.tsx";
import { ShortcutsDialog } from "./ShortcutsDialog.tsx";

const useStyles = makeStyles({
  frame: {
    display: "grid",
    height: "100%",
    gridTemplateColumns: "68px minmax(0, 1fr)",
    gridTemplateRows: "48px auto minmax(0, 1fr)",
    gridTemplateAreas: `"head head" "bar bar" "rail screen"`,
    "@media (max-width: 640px)": {
      gridTemplateColumns: "minmax(0, 1fr)",
      gridTemplateRows: "48px auto minmax(0, 1fr) 56px",
      gridTemplateAreas: `"head" "bar" "screen" "rail"`,
    },
  },
  bar: { gridArea: "bar" },
  screen: { gridArea: "screen", minHeight: 0, minWidth: 0 },
  skip: {
    position: "absolute",
    insetInlineStart: "8px",
    top: "-60px",
    zIndex: 10,
    padding: tokens.spacingHorizontalS,
    backgroundColor: tokens.colorNeutralBackground1,
    ":focus": { top: "8px" },
  },
});

export function Shell() {
  const styles = useStyles();
  const workspace = useWorkspace();
  const queries = useQueryClient();
  const isAway = useSyncExternalStore(onServerAway, isServerAway);
  const [shown, setShown] = useState<"nothing" | "palette" | "shortcuts">("nothing");
  useEffect(() => {
    rememberWorkspace(workspace);
    followWorkspace(queries, workspace);
  }, [queries, workspace]);
  useShortcuts([
    { keys: "mod+k", label: "Find anything, run a command", run: () => setShown("palette") },
    { keys: "?", label: "Show the shortcuts", run: () => setShown("shortcuts") },
  ]);
  const close = () => setShown("nothing");
  return (
    <div className={styles.frame}>
      <a href="#content" className={styles.skip}>
        Skip to content
      </a>
      <Header
        workspace={workspace}
        onFind={() => setShown("palette")}
        onShortcuts={() => setShown("shortcuts")}
      />
      <div className={styles.bar}>{isAway && <ConnectionBar />}</div>
      <Rail workspace={workspace} />
      <div className={styles.screen}>
        <Outlet />
      </div>
      {shown === "palette" && (
        <Palette workspace={workspace} onClose={close} onShortcuts={() => setShown("shortcuts")} />
      )}
      {shown === "shortcuts" && <ShortcutsDialog onClose={close} />}
      <Notices />
    </div>
  );
}
