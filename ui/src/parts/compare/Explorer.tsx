/**
 * A whole list: filter bar, views, columns, table, and the comparison that opens with a selection.
 *
 * Made for versions and runs alike: give it a `TableSource` (`parts/table/sources.ts`), a `scope`
 * (what views and remembered columns belong to, such as `model/forest`), and what is its own:
 * `renderCell` for links and badges, `onOpen` for Enter and a click on a chart's point, `tools` for
 * more buttons, `empty` for a list without rows. The state is in the address (`useViewState`);
 * `state`, `change` and `show` are handed in so that a screen's commands can use them too.
 *
 * Keys: `/` filters, `j` and `k` go to the rows, `c` compares.
 */
import {
  Button,
  makeStyles,
  Menu,
  MenuItem,
  MenuList,
  MenuPopover,
  MenuTrigger,
  Text,
  tokens,
  Tooltip,
} from "@fluentui/react-components";
import {
  ArrowDownloadRegular,
  ColumnEditRegular,
  CopyRegular,
  DismissRegular,
} from "@fluentui/react-icons";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { asFailure } from "@/api/client.ts";
import { useShortcuts } from "@/lib/keyboard.ts";
import { useShownLook } from "@/lib/look.ts";
import type { Search } from "@/lib/search.ts";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { notify, notifyFailure } from "@/parts/notices.ts";
import { saveFile } from "../chart/saveFile.ts";
import { FilterBar } from "../filter/FilterBar.tsx";
import { csvText } from "../table/cellText.ts";
import { columnOf, constantColumns, placeColumns, shownIds } from "../table/columns.ts";
import { CustomizeColumns } from "../table/CustomizeColumns.tsx";
import { DataGrid } from "../table/DataGrid.tsx";
import type { RenderCell } from "../table/GridRow.tsx";
import { orderTexts } from "../table/orders.ts";
import { filterOfKeys, type TableSource } from "../table/source.ts";
import { countOf } from "../table/sources.ts";
import { type Catalogue, useColumns } from "../table/useColumns.ts";
import { useTotal } from "../table/useRows.ts";
import { ComparisonPane, PaneTabs } from "./ComparisonPane.tsx";
import { useDirections } from "./direction.ts";
import { SavedViews } from "./SavedViews.tsx";
import { Splitter, USUAL_SHARE } from "./Splitter.tsx";
import type { ChangeView } from "./useViewState.ts";
import type { ViewState } from "./viewState.ts";

const CONSTANT_ROWS = 1000;
const EXPORT_ROWS = 2000;
/** How long no series are asked for until it is taken that no more will be. */
const SETTLED_MS = 300;

const useStyles = makeStyles({
  explorer: { display: "flex", flexDirection: "column", flexGrow: 1, minHeight: 0, minWidth: 0 },
  bar: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "flex-start",
    gap: tokens.spacingHorizontalS,
    padding: tokens.spacingHorizontalS,
    flexShrink: 0,
    backgroundColor: tokens.colorNeutralBackground1,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  filter: { flexGrow: 1, flexBasis: "320px", minWidth: 0 },
  tools: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalXS,
    "& button": { fontWeight: tokens.fontWeightRegular },
    // On a telephone their pictures alone, so that the table begins higher; their names are still read.
    "@media (max-width: 480px)": {
      "& button": { fontSize: 0, minWidth: "32px", paddingInline: "4px" },
    },
  },
  count: {
    color: tokens.colorNeutralForeground2,
    whiteSpace: "nowrap",
    fontVariantNumeric: "tabular-nums",
  },
});

export interface ExplorerProps {
  readonly source: TableSource;
  readonly workspace: string;
  readonly scope: string;
  readonly label: string;
  readonly state: ViewState;
  readonly change: ChangeView;
  readonly show: (search: Search) => void;
  readonly renderCell?: RenderCell;
  readonly onOpen?: (key: string) => void;
  readonly tools?: ReactNode;
  readonly empty: ReactNode;
}

/** The summary of a metric that is best, where either is. */
const BEST = { lower: "min", higher: "max", none: undefined } as const;

export function Explorer(props: ExplorerProps) {
  const { source, workspace, state, change } = props;
  const styles = useStyles();
  const areChartsThere = useChartsThere(source);
  // Charts in full height that a link names are drawn without it, and sooner.
  const isListHidden = state.selection.length > 0 && state.share >= 1;
  const isNeeded = !isListHidden || state.charts === null || areChartsThere;
  const catalogue = useColumns(source, isNeeded);
  const { known, usual } = catalogue;
  const [isCustomizing, setCustomizing] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const isDark = useShownLook() !== "light";
  const { total, error } = useTotal(source, state.filter);
  const layout = useHiddenConstants(source, state, usual);
  const columns = useMemo(() => placeColumns(layout, usual, known), [layout, usual, known]);
  const hidden = useMemo(() => new Set(state.hidden), [state.hidden]);
  const directionOf = useDirections();
  const toRows = () => box.current?.querySelector<HTMLElement>("[role=grid]")?.focus();
  useShortcuts([
    { keys: "/", label: "Filter", run: () => field.current?.focus() },
    { keys: "j", label: "Next row", run: toRows },
    { keys: "k", label: "Previous row", run: toRows },
    {
      keys: "c",
      label: "Compare the selected rows",
      run: () => change({ share: state.share === 0 ? USUAL_SHARE : state.share }),
    },
  ]);
  const onSelection = useCallback(
    (selection: readonly string[]) => {
      const kept = new Set(selection);
      change({ selection, hidden: state.hidden.filter((key) => kept.has(key)) });
    },
    [change, state.hidden],
  );
  const onEye = useCallback(
    (key: string) =>
      change({
        hidden: hidden.has(key)
          ? state.hidden.filter((each) => each !== key)
          : [...state.hidden, key],
      }),
    [change, hidden, state.hidden],
  );
  const copy = useCallback(() => {
    const ids = columns.map((column) => column.id);
    const text = readCsv(source, ids, state, catalogue);
    text
      .then((csv) => navigator.clipboard.writeText(csv))
      .then(() => notify({ title: "Copied as CSV" }))
      .catch((failure: unknown) => notifyFailure("Could not be copied", failure));
  }, [columns, source, state, catalogue]);
  const save = () => {
    const ids = columns.map((column) => column.id);
    readCsv(source, ids, { ...state, selection: [] }, catalogue)
      .then((csv) => saveFile(new Blob([csv], { type: "text/csv" }), `${props.label}.csv`))
      .catch((failure: unknown) => notifyFailure("Could not be saved", failure));
  };
  const shown = useMemo(() => shownIds(state.layout, usual), [state.layout, usual]);
  const failure = error ? asFailure(error) : null;
  const fault =
    failure?.position === undefined
      ? null
      : { position: failure.position, message: failure.message };
  const grid = (
    <DataGrid
      source={source}
      label={props.label}
      columns={columns}
      layout={state.layout}
      usual={usual}
      filter={state.filter}
      orders={state.orders}
      selection={state.selection}
      hidden={hidden}
      isDark={isDark}
      best={(key) => BEST[directionOf(key)]}
      renderCell={props.renderCell}
      onLayout={(next) => change({ layout: next }, next.widths !== state.layout.widths)}
      onOrders={(orders) => change({ orders })}
      onSelection={onSelection}
      onEye={onEye}
      onOpen={props.onOpen}
      onCopy={copy}
      empty={
        state.filter === "" ? props.empty : <NothingFound onClear={() => change({ filter: "" })} />
      }
      failed={(failed, retry) =>
        fault !== null ? (
          <Text className={styles.count}>Nothing is listed while the filter is wrong.</Text>
        ) : (
          <ErrorView
            error={failed}
            what={`The ${source.noun.many} could not be listed`}
            onRetry={retry}
          />
        )
      }
    />
  );
  return (
    <div className={styles.explorer} ref={box}>
      <div className={styles.bar}>
        <div className={styles.filter}>
          <FilterBar
            source={source}
            known={known}
            value={state.filter}
            fault={fault}
            field={field}
            onChange={(filter) => change({ filter })}
          />
        </div>
        <div className={styles.tools}>
          {total !== undefined && (
            <Text size={200} className={styles.count} aria-live="polite">
              {countOf(source, total)}
            </Text>
          )}
          <SavedViews workspace={workspace} scope={props.scope} state={state} onShow={props.show} />
          <Button icon={<ColumnEditRegular />} onClick={() => setCustomizing(true)}>
            Customize columns
          </Button>
          <Menu>
            <MenuTrigger disableButtonEnhancement>
              <Button icon={<ArrowDownloadRegular />}>Export</Button>
            </MenuTrigger>
            <MenuPopover>
              <MenuList>
                <MenuItem
                  icon={<CopyRegular />}
                  disabled={state.selection.length === 0}
                  onClick={copy}
                >
                  Copy the selected rows as CSV
                </MenuItem>
                <MenuItem icon={<ArrowDownloadRegular />} onClick={save}>
                  Save all found as CSV
                </MenuItem>
              </MenuList>
            </MenuPopover>
          </Menu>
          {props.tools}
        </div>
      </div>
      <Splitter
        label="the comparison"
        isSplit={state.selection.length > 0}
        share={state.share}
        onShare={(share) => change({ share }, true)}
        upper={grid}
        bar={
          <>
            <PaneTabs source={source} state={state} onChange={change} />
            <Tooltip content="Select none" relationship="label">
              <Button
                size="small"
                appearance="subtle"
                icon={<DismissRegular />}
                onClick={() => change({ selection: [], hidden: [] })}
              />
            </Tooltip>
          </>
        }
        lower={
          <ComparisonPane
            source={source}
            workspace={workspace}
            state={state}
            shown={shown}
            onChange={change}
            onOpen={props.onOpen}
          />
        }
      />
      {isCustomizing && (
        <CustomizeColumns
          source={source}
          known={known}
          usual={usual}
          groups={catalogue.groups}
          layout={state.layout}
          onLayout={(next) => change({ layout: next })}
          onClose={() => setCustomizing(false)}
        />
      )}
    </div>
  );
}

function NothingFound({ onClear }: { onClear: () => void }) {
  return (
    <>
      <Text>Nothing fits this filter. </Text>
      <Button size="small" onClick={onClear}>
        Remove the filter
      </Button>
    </>
  );
}

/**
 * Whether the series of the charts have come, or none are asked for; it stays so once it was.
 *
 * Looked at from outside of React until then, and not at all afterwards: series of a run that is
 * training come every moment.
 */
function useChartsThere(source: TableSource): boolean {
  const queries = useQueryClient();
  const [isThere, setThere] = useState(false);
  useEffect(() => {
    if (isThere) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      if (queries.isFetching({ queryKey: [...source.id, "series"] }) > 0) {
        clearTimeout(timer);
        timer = undefined;
      } else {
        timer ??= setTimeout(() => setThere(true), SETTLED_MS);
      }
    };
    const stop = queries.getQueryCache().subscribe(look);
    look();
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [isThere, queries, source]);
  return isThere;
}

/** The layout without columns that are the same in the first thousand rows found, if asked for. */
function useHiddenConstants(source: TableSource, state: ViewState, usual: readonly string[]) {
  const { layout, filter } = state;
  const ids = useMemo(() => shownIds(layout, usual), [layout, usual]);
  const { data } = useQuery({
    queryKey: [...source.id, "constant", filter, ids],
    queryFn: async ({ signal }) => {
      const asked = { columns: ids, filter, orderBy: [], offset: 0, limit: CONSTANT_ROWS };
      return constantColumns(ids, (await source.search(asked, signal)).rows);
    },
    enabled: layout.hideConstant,
    meta: { watch: source.watch },
  });
  return useMemo(
    () =>
      layout.hideConstant && data
        ? { ...layout, hidden: [...layout.hidden, ...data.filter((id) => id !== ids[0])] }
        : layout,
    [layout, data, ids],
  );
}

/** The selected rows, or all that the filter finds, in portions. */
async function readCsv(
  source: TableSource,
  columns: readonly string[],
  state: ViewState,
  { known }: Catalogue,
): Promise<string> {
  const filter = state.selection.length > 0 ? filterOfKeys(source, state.selection) : state.filter;
  const orderBy = orderTexts(state.orders);
  const rows = [];
  for (let offset = 0; ; offset += EXPORT_ROWS) {
    const table = await source.search({ columns, filter, orderBy, offset, limit: EXPORT_ROWS });
    rows.push(...table.rows.map((row) => row.cells));
    if (offset + EXPORT_ROWS >= table.total) break;
  }
  return csvText(
    columns.map((id) => columnOf(id, known)),
    rows,
  );
}
