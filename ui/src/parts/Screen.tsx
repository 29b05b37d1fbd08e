/**
 * The frame of a screen: its path, its ribbon of commands, and what it shows.
 *
 * Always holds: commands are on the ribbon and in Ctrl+K alike; the document's title says where
 * one is. The content scrolls by itself, unless `isFixed`: then what is in it does.
 */
import {
  Breadcrumb,
  BreadcrumbDivider,
  BreadcrumbItem,
  makeStyles,
  mergeClasses,
  Text,
  tokens,
} from "@fluentui/react-components";
import { Fragment, type ReactNode, useEffect, useMemo } from "react";
import { useShortcuts } from "@/lib/keyboard.ts";
import { type Command, useOfferedCommands } from "./commands.ts";
import { Ribbon } from "./Ribbon.tsx";

export interface ScreenProps {
  /** What the document is called. */
  readonly title: string;
  /** Links to what is above, outermost first; made with `RouteLink`. */
  readonly crumbs?: readonly ReactNode[];
  readonly commands?: readonly Command[];
  /** Whether the content fills the window and scrolls inside. */
  readonly isFixed?: boolean;
  readonly children?: ReactNode;
}

const NONE: readonly Command[] = [];

const useStyles = makeStyles({
  screen: { display: "flex", flexDirection: "column", height: "100%", minHeight: 0, minWidth: 0 },
  head: {
    flexShrink: 0,
    paddingInline: tokens.spacingHorizontalL,
    backgroundColor: tokens.colorNeutralBackground1,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  crumbs: { display: "flex", alignItems: "center", minHeight: "32px", overflow: "hidden" },
  crumb: {
    minWidth: 0,
    whiteSpace: "nowrap",
    overflow: "hidden",
    textOverflow: "ellipsis",
    paddingInline: tokens.spacingHorizontalXS,
    fontSize: tokens.fontSizeBase200,
    lineHeight: tokens.lineHeightBase200,
    "& a": { fontSize: "inherit", lineHeight: "inherit" },
  },
  content: {
    flexGrow: 1,
    minHeight: 0,
    minWidth: 0,
    backgroundColor: tokens.colorNeutralBackground2,
    outlineStyle: "none",
  },
  scrolling: { overflow: "auto", padding: tokens.spacingHorizontalL },
  fixed: { display: "flex", flexDirection: "column", overflow: "hidden" },
});

export function Screen({ title, crumbs, commands = NONE, isFixed = false, children }: ScreenProps) {
  const styles = useStyles();
  useOfferedCommands(commands);
  const shortcuts = useMemo(() => shortcutsOf(commands), [commands]);
  useShortcuts(shortcuts);
  useEffect(() => {
    document.title = title === "" ? "Heddle" : `${title} · Heddle`;
  }, [title]);
  return (
    <div className={styles.screen}>
      {(crumbs !== undefined || commands.length > 0) && (
        <div className={styles.head}>
          {crumbs && <Crumbs crumbs={crumbs} title={title} />}
          {commands.length > 0 && <Ribbon commands={commands} />}
        </div>
      )}
      <main
        className={mergeClasses(styles.content, isFixed ? styles.fixed : styles.scrolling)}
        tabIndex={-1}
        id="content"
      >
        {children}
      </main>
    </div>
  );
}

function Crumbs({ crumbs, title }: { crumbs: readonly ReactNode[]; title: string }) {
  const styles = useStyles();
  return (
    <Breadcrumb aria-label="Where you are" size="small" className={styles.crumbs}>
      {crumbs.map((crumb, at) => (
        <Fragment key={at}>
          <BreadcrumbItem className={styles.crumb}>{crumb}</BreadcrumbItem>
          <BreadcrumbDivider />
        </Fragment>
      ))}
      <BreadcrumbItem className={styles.crumb}>
        <Text aria-current="page" size={200} title={title} wrap={false} truncate>
          {title}
        </Text>
      </BreadcrumbItem>
    </Breadcrumb>
  );
}

function shortcutsOf(commands: readonly Command[]) {
  return commands
    .flatMap((command) => [command, ...(command.items ?? [])])
    .flatMap(({ keys, label, run, refusal }) =>
      keys !== undefined && run !== undefined && refusal === undefined
        ? [{ keys, label, run }]
        : [],
    );
}
