/** Versions of a model beside the details: newest first, searchable, only those in sight drawn. */
import { Input, makeStyles, mergeClasses, Text, tokens } from "@fluentui/react-components";
import { SearchRegular, TableRegular } from "@fluentui/react-icons";
import { Link } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useDeferredValue, useEffect, useMemo, useRef } from "react";
import { fluentRef } from "@/lib/fluentRef.ts";
import { countText } from "@/lib/format.ts";
import { useShortcuts } from "@/lib/keyboard.ts";
import { useSearchState } from "@/lib/useSearchState.ts";
import { AliasBadge } from "@/parts/AliasBadge.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { TimeText } from "@/parts/TimeText.tsx";
import type { ListedVersion } from "./queries.ts";

const ROW_PX = 52;

const useStyles = makeStyles({
  pane: {
    display: "flex",
    flexDirection: "column",
    minHeight: 0,
    backgroundColor: tokens.colorNeutralBackground1,
    borderRight: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  head: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalS,
    padding: tokens.spacingHorizontalM,
    paddingBottom: tokens.spacingVerticalS,
  },
  title: { display: "flex", justifyContent: "space-between", alignItems: "center" },
  muted: { color: tokens.colorNeutralForeground3 },
  list: { flexGrow: 1, minHeight: 0, overflow: "auto" },
  all: { position: "relative" },
  row: {
    position: "absolute",
    insetInline: 0,
    top: 0,
    height: `${ROW_PX}px`,
    boxSizing: "border-box",
    display: "grid",
    gridTemplateColumns: "minmax(0, 1fr) auto",
    alignContent: "center",
    columnGap: tokens.spacingHorizontalS,
    paddingInline: tokens.spacingHorizontalM,
    color: tokens.colorNeutralForeground1,
    textDecorationLine: "none",
    borderBottom: `1px solid ${tokens.colorNeutralStroke3}`,
    ":hover": { backgroundColor: tokens.colorNeutralBackground1Hover },
    ":focus-visible": {
      outline: `2px solid ${tokens.colorStrokeFocus2}`,
      outlineOffset: "-2px",
    },
  },
  chosen: {
    backgroundColor: tokens.colorNeutralBackground1Selected,
    color: tokens.colorNeutralForeground1Selected,
    // In high contrast the ground of what is chosen is bright; aliases bring their own.
    "& span:not([title^='@'])": { color: "inherit" },
    boxShadow: `inset 3px 0 0 ${tokens.colorBrandForeground1}`,
  },
  line: {
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalXS,
    minWidth: 0,
    overflow: "hidden",
    whiteSpace: "nowrap",
  },
  number: { fontVariantNumeric: "tabular-nums", flexShrink: 0 },
  // The pane's title says to eyes what the numbers are.
  spoken: {
    position: "absolute",
    width: "1px",
    height: "1px",
    overflow: "hidden",
    clipPath: "inset(50%)",
  },
  run: { overflow: "hidden", textOverflow: "ellipsis" },
  end: { textAlign: "end", whiteSpace: "nowrap" },
  foot: {
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    padding: tokens.spacingHorizontalM,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  none: { padding: tokens.spacingHorizontalM, color: tokens.colorNeutralForeground3 },
});

export interface VersionPaneProps {
  readonly workspace: string;
  readonly model: string;
  readonly versions: readonly ListedVersion[];
  readonly chosen: string;
  readonly onChoose: (version: string) => void;
}

export function VersionPane({ workspace, model, versions, chosen, onChoose }: VersionPaneProps) {
  const styles = useStyles();
  const [search, change] = useSearchState();
  const box = useRef<HTMLInputElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const text = useDeferredValue(search["q"] ?? "");
  const shown = useMemo(() => versions.filter((each) => matches(each, text)), [versions, text]);
  const at = shown.findIndex((each) => each.number === chosen);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_PX,
    overscan: 8,
    initialRect: { width: 280, height: 800 },
    initialOffset: Math.max(0, (at - 2) * ROW_PX),
  });
  const step = (by: number) => {
    const next = shown[Math.min(Math.max(at + by, 0), shown.length - 1)];
    if (next) onChoose(next.number);
  };
  useShortcuts([
    { keys: "/", label: "Search versions", run: () => box.current?.focus() },
    { keys: "j", label: "Next version", run: () => step(1) },
    { keys: "k", label: "Previous version", run: () => step(-1) },
  ]);
  useEffect(() => {
    if (at >= 0) virtual.scrollToIndex(at, { align: "auto" });
    // Only when another is chosen: scrolling by hand stays.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [chosen]);
  return (
    <nav className={styles.pane} aria-label="Versions">
      <div className={styles.head}>
        <div className={styles.title}>
          <Text weight="semibold">Versions</Text>
          <Text size={200} className={styles.muted} role="status">
            {text === "" ? countText(versions.length) : `${shown.length} of ${versions.length}`}
          </Text>
        </div>
        <Input
          size="small"
          type="search"
          ref={fluentRef(box)}
          aria-label="Search versions"
          placeholder="Number, alias, run, stage"
          contentBefore={<SearchRegular />}
          value={search["q"] ?? ""}
          onChange={(_event, { value }) => change({ q: value })}
        />
      </div>
      <div ref={frame} className={styles.list}>
        {shown.length === 0 && <div className={styles.none}>No version matches.</div>}
        <div className={styles.all} style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const each = shown[index];
            if (!each) return null;
            return (
              <Link
                key={each.number}
                to="/w/$workspace/models/$model/versions/$version"
                params={{ workspace, model, version: each.number }}
                search={search}
                className={mergeClasses(styles.row, each.number === chosen && styles.chosen)}
                style={{ transform: `translateY(${start}px)` }}
                aria-current={each.number === chosen ? "true" : undefined}
              >
                <Row version={each} />
              </Link>
            );
          })}
        </div>
      </div>
      <div className={styles.foot}>
        <TableRegular aria-hidden />
        <RouteLink to="/w/$workspace/models/$model/list" params={{ workspace, model }}>
          View model list
        </RouteLink>
      </div>
    </nav>
  );
}

function Row({ version }: { readonly version: ListedVersion }) {
  const styles = useStyles();
  const { number, aliases, stage, runName, createdMs } = version;
  return (
    <>
      <span className={styles.line}>
        <Text weight="semibold" className={styles.number}>
          <span className={styles.spoken}>Version </span>
          {number}
        </Text>
        {aliases.map((alias) => (
          <AliasBadge key={alias} name={alias} />
        ))}
      </span>
      <Text size={200} className={mergeClasses(styles.end, styles.muted)}>
        <TimeText ms={createdMs} />
      </Text>
      <Text size={200} className={mergeClasses(styles.muted, styles.run)} dir="auto" wrap={false}>
        {runName || "no run"}
      </Text>
      <Text size={200} className={mergeClasses(styles.end, styles.muted)}>
        {stage === "None" ? "" : stage}
      </Text>
    </>
  );
}

function matches(version: ListedVersion, text: string): boolean {
  const typed = text.trim().toLowerCase().replace(/^@/, "");
  return (
    typed === "" ||
    version.number.startsWith(typed) ||
    version.runName.toLowerCase().includes(typed) ||
    version.stage.toLowerCase().startsWith(typed) ||
    version.aliases.some((alias) => alias.toLowerCase().includes(typed))
  );
}
