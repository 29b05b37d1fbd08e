/**
 * Ctrl+K: finds models, versions, experiments, runs, screens, and runs the present screen's
 * commands.
 */
import {
  Dialog,
  DialogSurface,
  Input,
  makeStyles,
  mergeClasses,
  Spinner,
  Text,
  tokens,
} from "@fluentui/react-components";
import {
  BeakerRegular,
  BoxMultipleRegular,
  BoxRegular,
  ChevronRightRegular,
  PlayRegular,
  SearchRegular,
  WindowRegular,
} from "@fluentui/react-icons";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { type KeyboardEvent, type ReactElement, useId, useState } from "react";
import { api, ask, type Shapes } from "@/api/client.ts";
import { fuzzyScore } from "@/lib/fuzzy.ts";
import { type Look, setLook } from "@/lib/look.ts";
import { type Command, useCommands } from "@/parts/commands.ts";

const FOUND_MAX = 8;

interface Entry {
  readonly id: string;
  readonly icon: ReactElement;
  readonly label: string;
  readonly hint: string;
  readonly run: () => void;
}

const useStyles = makeStyles({
  surface: {
    padding: 0,
    top: "10vh",
    marginBlockStart: 0,
    width: "min(640px, 94vw)",
    maxWidth: "none",
    overflow: "hidden",
  },
  input: { width: "100%", minHeight: "48px", border: "none", borderRadius: 0 },
  list: {
    maxHeight: "min(60vh, 480px)",
    overflow: "auto",
    padding: tokens.spacingHorizontalXS,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  entry: {
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalM,
    minHeight: "36px",
    paddingInline: tokens.spacingHorizontalM,
    borderRadius: tokens.borderRadiusMedium,
    cursor: "pointer",
  },
  chosen: { backgroundColor: tokens.colorSubtleBackgroundSelected },
  icon: { display: "flex", fontSize: "20px", color: tokens.colorNeutralForeground3 },
  label: { flexGrow: 1, overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  hint: {
    color: tokens.colorNeutralForeground3,
    maxWidth: "45%",
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
  },
  empty: { padding: tokens.spacingHorizontalL, color: tokens.colorNeutralForeground3 },
});

export interface PaletteProps {
  readonly workspace: string;
  readonly onClose: () => void;
  readonly onShortcuts: () => void;
}

export function Palette({ workspace, onClose, onShortcuts }: PaletteProps) {
  const styles = useStyles();
  const id = useId();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const typed = text.trim();
  const found = useQuery({
    queryKey: ["ws", workspace, "find", typed],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/find", {
          params: { path: { workspace }, query: { text: typed, limit: FOUND_MAX } },
          signal,
        }),
      ),
    enabled: typed !== "",
    placeholderData: keepPreviousData,
    staleTime: 0,
  });
  const actions = useActions(workspace, onShortcuts);
  const hits = useHits(workspace, typed === "" ? [] : (found.data?.hits ?? []));
  // Until the answer is there, of what was found for fewer letters only what these fit as well:
  // else Enter opens what nobody asked for.
  const fitting = found.isPlaceholderData ? best(hits, typed) : hits;
  const entries = [...fitting, ...best(actions, typed)];
  const chosen = Math.min(at, entries.length - 1);

  function run(entry: Entry | undefined) {
    if (!entry) return;
    onClose();
    entry.run();
  }

  function onKeyDown(event: KeyboardEvent) {
    const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 };
    const step = steps[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = (chosen + step + entries.length) % Math.max(entries.length, 1);
      setAt(next);
      document.getElementById(`${id}-${next}`)?.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(entries[chosen]);
    }
  }

  return (
    <Dialog open onOpenChange={onClose}>
      <DialogSurface className={styles.surface} aria-label="Find anything">
        <Input
          className={styles.input}
          appearance="filled-lighter"
          size="large"
          autoFocus
          value={text}
          placeholder="Search models, versions, runs, or type a command"
          contentBefore={<SearchRegular />}
          contentAfter={found.isFetching ? <Spinner size="tiny" /> : null}
          onChange={(_event, data) => {
            setText(data.value);
            setAt(0);
          }}
          onKeyDown={onKeyDown}
          role="combobox"
          aria-label="Find anything"
          aria-expanded
          aria-controls={id}
          aria-activedescendant={`${id}-${chosen}`}
        />
        <div role="listbox" id={id} className={styles.list} aria-label="Found">
          {entries.length === 0 && !found.isFetching && (
            <div className={styles.empty}>
              Nothing is called so. Parts of names, the beginning of a run&apos;s id, model/3 and
              model@alias are found.
            </div>
          )}
          {entries.map((entry, place) => (
            <div
              key={entry.id}
              id={`${id}-${place}`}
              role="option"
              aria-selected={place === chosen}
              className={mergeClasses(styles.entry, place === chosen && styles.chosen)}
              onMouseMove={() => setAt(place)}
              onClick={() => run(entry)}
            >
              <span className={styles.icon}>{entry.icon}</span>
              <Text className={styles.label}>{entry.label}</Text>
              <Text size={200} className={styles.hint}>
                {entry.hint}
              </Text>
            </div>
          ))}
        </div>
      </DialogSurface>
    </Dialog>
  );
}

function best(entries: readonly Entry[], typed: string): Entry[] {
  return entries
    .map((entry) => ({ entry, score: fuzzyScore(`${entry.label} ${entry.hint}`, typed) }))
    .filter((scored): scored is { entry: Entry; score: number } => scored.score !== null)
    .sort((a, b) => b.score - a.score)
    .map(({ entry }) => entry);
}

function useHits(workspace: string, hits: readonly Shapes["Hit"][]): Entry[] {
  const router = useRouter();
  const icons = {
    model: <BoxMultipleRegular />,
    version: <BoxRegular />,
    experiment: <BeakerRegular />,
    run: <PlayRegular />,
  };
  return hits.map((hit) => ({
    id: `${hit.kind} ${hit.parent} ${hit.key}`,
    icon: icons[hit.kind],
    label: hit.kind === "version" ? `${hit.parent_name} ${hit.name}` : hit.name,
    hint: hit.kind === "run" ? `run in ${hit.parent_name}` : hit.kind,
    run: () => {
      const { key, parent } = hit;
      if (hit.kind === "model") {
        void router.navigate({
          to: "/w/$workspace/models/$model",
          params: { workspace, model: key },
        });
      } else if (hit.kind === "version") {
        void router.navigate({
          to: "/w/$workspace/models/$model/versions/$version",
          params: { workspace, model: parent, version: key },
        });
      } else if (hit.kind === "experiment") {
        void router.navigate({
          to: "/w/$workspace/experiments/$experiment",
          params: { workspace, experiment: key },
        });
      } else {
        void router.navigate({ to: "/w/$workspace/runs/$run", params: { workspace, run: key } });
      }
    },
  }));
}

/** Screens and commands. */
function useActions(workspace: string, onShortcuts: () => void): Entry[] {
  const router = useRouter();
  const commands = useCommands();
  const screens: [string, () => void][] = [
    ["Home", () => void router.navigate({ to: "/" })],
    [
      `Workspace ${workspace}`,
      () => void router.navigate({ to: "/w/$workspace", params: { workspace } }),
    ],
    ["All runs", () => void router.navigate({ to: "/w/$workspace/runs", params: { workspace } })],
    [
      "Monitor: jobs",
      () => void router.navigate({ to: "/w/$workspace/jobs", params: { workspace } }),
    ],
    ["All workspaces", () => void router.navigate({ to: "/workspaces" })],
    ["Create", () => void router.navigate({ to: "/create" })],
  ];
  const looks: [Look, string][] = [
    ["light", "Light theme"],
    ["dark", "Dark theme"],
    ["contrast", "High contrast theme"],
    ["system", "Theme of the system"],
  ];
  return [
    ...commands.flatMap(flat).map((command) => ({
      id: `command ${command.id}`,
      icon: command.icon ?? <ChevronRightRegular />,
      label: command.label,
      hint: "command",
      run: () => command.run?.(),
    })),
    ...screens.map(([label, run]) => ({
      id: `screen ${label}`,
      icon: <WindowRegular />,
      label,
      hint: "screen",
      run,
    })),
    ...looks.map(([look, label]) => ({
      id: `look ${look}`,
      icon: <ChevronRightRegular />,
      label,
      hint: "command",
      run: () => setLook(look),
    })),
    {
      id: "shortcuts",
      icon: <ChevronRightRegular />,
      label: "Shortcuts",
      hint: "command",
      run: onShortcuts,
    },
  ];
}

function flat(command: Command): Command[] {
  if (command.refusal !== undefined) return [];
  if (!command.items) return [command];
  return command.items.flatMap(flat).map((item) => ({
    ...item,
    label: `${command.label}: ${item.label}`,
  }));
}
