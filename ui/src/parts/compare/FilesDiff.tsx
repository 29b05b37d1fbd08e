/**
 * A file of two rows beside each other: texts line by line, pictures as they are.
 *
 * Contents come through the server's previews, which never hold more than 256 KiB of a text;
 * nothing of a file is run or read as markup.
 */
import {
  Button,
  Dropdown,
  Field,
  makeStyles,
  mergeClasses,
  Option,
  Spinner,
  Switch,
  tokens,
} from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { addressOf, api, ask, type Shapes } from "@/api/client.ts";
import { sizeText } from "@/lib/format.ts";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import type { ItemRef } from "../table/source.ts";
import { diffLines, type LinePair } from "./textDiff.ts";

const AROUND = 3;
const LINES_MAX = 4000;

const useStyles = makeStyles({
  pane: { display: "flex", flexDirection: "column", flexGrow: 1, minHeight: 0, minWidth: 0 },
  bar: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "flex-end",
    gap: tokens.spacingHorizontalM,
    padding: tokens.spacingHorizontalM,
    flexShrink: 0,
  },
  choice: { minWidth: 0, width: "220px", maxWidth: "100%" },
  wide: { width: "320px" },
  content: {
    flexGrow: 1,
    minHeight: 0,
    overflow: "auto",
    backgroundColor: tokens.colorNeutralBackground1,
  },
  lines: {
    display: "grid",
    gridTemplateColumns: "44px minmax(0, 1fr) 44px minmax(0, 1fr)",
    fontFamily: tokens.fontFamilyMonospace,
    fontSize: tokens.fontSizeBase200,
  },
  number: {
    textAlign: "right",
    paddingInline: tokens.spacingHorizontalXS,
    color: tokens.colorNeutralForeground3,
    userSelect: "none",
  },
  line: { whiteSpace: "pre-wrap", overflowWrap: "anywhere", minHeight: "1.4em" },
  gone: { backgroundColor: tokens.colorStatusDangerBackground1 },
  come: { backgroundColor: tokens.colorStatusSuccessBackground1 },
  fold: {
    gridColumnStart: 1,
    gridColumnEnd: -1,
    paddingInline: tokens.spacingHorizontalM,
    color: tokens.colorNeutralForeground3,
    backgroundColor: tokens.colorNeutralBackground2,
  },
  images: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fit, minmax(min(280px, 100%), 1fr))",
    gap: tokens.spacingHorizontalM,
    padding: tokens.spacingHorizontalM,
  },
  image: { maxWidth: "100%", maxHeight: "60vh", objectFit: "contain", display: "block" },
  figure: { margin: 0 },
});

export interface FilesDiffProps {
  readonly workspace: string;
  readonly items: readonly ItemRef[];
  readonly labels: readonly string[];
  /** The place of the row that stands on the left. */
  readonly baseline: number;
  readonly path: string;
  readonly onPath: (path: string) => void;
}

export function FilesDiff({ workspace, items, labels, baseline, path, onPath }: FilesDiffProps) {
  const styles = useStyles();
  const [chosen, setChosen] = useState<number | null>(null);
  const [onlyChanges, setOnlyChanges] = useState(true);
  const other =
    chosen !== null && chosen < items.length && chosen !== baseline
      ? chosen
      : baseline === 0
        ? 1
        : 0;
  const { data, error } = useQuery({
    queryKey: ["compare", workspace, items, "files"],
    queryFn: ({ signal }) => {
      const body = { items: items.map((item) => ({ ...item })), groups: ["files" as const] };
      const call = api.POST("/api/v1/workspaces/{workspace}/compare", {
        params: { path: { workspace } },
        body,
        signal,
      });
      return ask(call);
    },
  });
  if (error) return <ErrorView error={error} />;
  const rows = data?.groups[0]?.rows ?? [];
  const left = items[baseline];
  const right = items[other];
  const pairs = rows.map((row) => ({
    path: row.key,
    isSame: row.values[baseline] === row.values[other],
    has: [row.values[baseline] !== null, row.values[other] !== null] as const,
  }));
  // A file of the same name may be chosen already; else the first that differs.
  const shown =
    pairs.find((pair) => pair.path === path) ?? pairs.find((pair) => !pair.isSame) ?? pairs[0];
  if (!data) return <Spinner label="Loading" />;
  if (!left || !right)
    return <EmptyState title="Choose two">Files are compared two at a time.</EmptyState>;
  if (!shown) return <EmptyState title="No files">None of these has files.</EmptyState>;
  return (
    <div className={styles.pane}>
      <div className={styles.bar}>
        <Field label="File">
          <Dropdown
            className={mergeClasses(styles.choice, styles.wide)}
            value={shown.path}
            selectedOptions={[shown.path]}
            onOptionSelect={(_event, option) => onPath(option.optionValue ?? "")}
          >
            {pairs.slice(0, 1000).map((pair) => (
              <Option key={pair.path} value={pair.path} text={pair.path}>
                {pair.isSame ? pair.path : `● ${pair.path}`}
              </Option>
            ))}
          </Dropdown>
        </Field>
        <Field label={`${labels[baseline] ?? ""} beside`}>
          <Dropdown
            className={styles.choice}
            value={labels[other] ?? ""}
            selectedOptions={[String(other)]}
            onOptionSelect={(_event, option) => setChosen(Number(option.optionValue))}
          >
            {labels.map((label, n) =>
              n === baseline ? null : (
                <Option key={n} value={String(n)}>
                  {label}
                </Option>
              ),
            )}
          </Dropdown>
        </Field>
        <Switch
          label="Changes only"
          checked={onlyChanges}
          onChange={(_event, event) => setOnlyChanges(event.checked)}
        />
      </div>
      <div
        className={styles.content}
        tabIndex={0}
        role="region"
        aria-label={`${shown.path} side by side`}
      >
        <Contents
          key={`${shown.path} ${baseline} ${other}`}
          workspace={workspace}
          path={shown.path}
          sides={[left, right]}
          has={shown.has}
          labels={[labels[baseline] ?? "", labels[other] ?? ""]}
          onlyChanges={onlyChanges}
        />
      </div>
    </div>
  );
}

interface ContentsProps {
  readonly workspace: string;
  readonly path: string;
  readonly sides: readonly [ItemRef, ItemRef];
  readonly has: readonly [boolean, boolean];
  readonly labels: readonly [string, string];
  readonly onlyChanges: boolean;
}

function Contents({ workspace, path, sides, has, labels, onlyChanges }: ContentsProps) {
  const styles = useStyles();
  const left = usePreview(workspace, sides[0], path, has[0]);
  const right = usePreview(workspace, sides[1], path, has[1]);
  const error = left.error ?? right.error;
  if (error) return <ErrorView error={error} what="The file could not be read" />;
  if (left.isLoading || right.isLoading) return <Spinner label="Loading" />;
  const kind = left.data?.kind ?? right.data?.kind;
  if (kind === "image") {
    return (
      <div className={styles.images}>
        {sides.map((side, n) => (
          <figure key={n} className={styles.figure}>
            <figcaption>{labels[n]}</figcaption>
            {has[n] ? (
              <img
                className={styles.image}
                src={contentOf(workspace, side, path)}
                alt={`${path} of ${labels[n] ?? ""}`}
              />
            ) : (
              "has no such file"
            )}
          </figure>
        ))}
      </div>
    );
  }
  const texts = [left.data, right.data].map((preview) => (preview ? textOf(preview) : ""));
  if (texts.some((text) => text === null)) {
    return (
      <EmptyState title="Not a text">
        {labels[0]}: {sizeText(left.data?.size_bytes ?? 0)}, {labels[1]}:{" "}
        {sizeText(right.data?.size_bytes ?? 0)}.{" "}
        {left.data?.digest === right.data?.digest
          ? "The contents are the same."
          : "The contents differ."}
      </EmptyState>
    );
  }
  const isCut = left.data?.truncated === true || right.data?.truncated === true;
  return (
    <Lines left={texts[0] ?? ""} right={texts[1] ?? ""} onlyChanges={onlyChanges} isCut={isCut} />
  );
}

/** The part of an address that names an item's files. */
function filesOf(item: ItemRef): readonly string[] {
  return "run" in item
    ? ["runs", item.run]
    : ["models", item.model, "versions", String(item.version)];
}

function contentOf(workspace: string, item: ItemRef, path: string): string {
  return `${addressOf(workspace, ...filesOf(item), "content", ...path.split("/"))}?inline=true`;
}

function usePreview(workspace: string, item: ItemRef, path: string, isThere: boolean) {
  return useQuery({
    queryKey: ["preview", workspace, ...filesOf(item), path],
    queryFn: ({ signal }) => {
      const query = { path };
      return "run" in item
        ? ask(
            api.GET("/api/v1/workspaces/{workspace}/runs/{run}/preview", {
              params: { path: { workspace, run: item.run }, query },
              signal,
            }),
          )
        : ask(
            api.GET("/api/v1/workspaces/{workspace}/models/{model}/versions/{version}/preview", {
              params: {
                path: { workspace, model: item.model, version: String(item.version) },
                query,
              },
              signal,
            }),
          );
    },
    enabled: isThere,
  });
}

function textOf(preview: Shapes["Preview"]): string | null {
  if (preview.table) {
    const { columns, rows } = preview.table;
    return [columns, ...rows].map((cells) => cells.join(", ")).join("\n");
  }
  return preview.text;
}

interface LinesProps {
  readonly left: string;
  readonly right: string;
  readonly onlyChanges: boolean;
  readonly isCut: boolean;
}

function Lines({ left, right, onlyChanges, isCut }: LinesProps) {
  const styles = useStyles();
  const [isAll, setAll] = useState(false);
  const pairs = useMemo(() => diffLines(left, right), [left, right]);
  const parts = useMemo(() => foldEqual(pairs, onlyChanges), [pairs, onlyChanges]);
  if (left === right)
    return <EmptyState title="The same">These files have the same contents.</EmptyState>;
  const shown = isAll ? parts : parts.slice(0, LINES_MAX);
  return (
    <>
      <div className={styles.lines}>
        {shown.map((part, n) =>
          typeof part === "number" ? (
            <div key={n} className={styles.fold}>
              {part} equal lines
            </div>
          ) : (
            <Line key={n} pair={part} />
          ),
        )}
        {isCut && <div className={styles.fold}>Only the beginning of a long file is compared.</div>}
      </div>
      {shown.length < parts.length && <Button onClick={() => setAll(true)}>Show all lines</Button>}
    </>
  );
}

function Line({ pair }: { pair: LinePair }) {
  const styles = useStyles();
  return (
    <>
      <span className={styles.number}>{pair.left === null ? "" : pair.leftNumber}</span>
      <span
        className={mergeClasses(styles.line, !pair.isSame && pair.left !== null && styles.gone)}
      >
        {pair.left}
      </span>
      <span className={styles.number}>{pair.right === null ? "" : pair.rightNumber}</span>
      <span
        className={mergeClasses(styles.line, !pair.isSame && pair.right !== null && styles.come)}
      >
        {pair.right}
      </span>
    </>
  );
}

/** Lines with long equal stretches replaced by how many they are. */
function foldEqual(pairs: readonly LinePair[], isWanted: boolean): (LinePair | number)[] {
  if (!isWanted) return [...pairs];
  const near = new Set<number>();
  pairs.forEach((pair, n) => {
    if (pair.isSame) return;
    for (let m = n - AROUND; m <= n + AROUND; m += 1) near.add(m);
  });
  const parts: (LinePair | number)[] = [];
  let folded = 0;
  pairs.forEach((pair, n) => {
    if (!near.has(n)) {
      folded += 1;
      return;
    }
    if (folded > 0) parts.push(folded);
    folded = 0;
    parts.push(pair);
  });
  return folded > 0 ? [...parts, folded] : parts;
}
