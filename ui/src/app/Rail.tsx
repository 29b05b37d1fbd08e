/** The vertical menu; under 640 px a bar at the bottom. */
import {
  makeStyles,
  Menu,
  MenuItem,
  MenuItemRadio,
  MenuList,
  MenuPopover,
  MenuTrigger,
  mergeClasses,
  tokens,
} from "@fluentui/react-components";
import {
  AddCircleFilled,
  AddCircleRegular,
  BeakerFilled,
  BeakerRegular,
  DarkThemeRegular,
  DocumentTextRegular,
  HomeFilled,
  HomeRegular,
  MoreHorizontalRegular,
  PulseFilled,
  PulseRegular,
  StackFilled,
  StackRegular,
} from "@fluentui/react-icons";
import { Link, useLocation, useRouter } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { type Look, setLook, useLook } from "@/lib/look.ts";

const LOOKS: readonly (readonly [Look, string])[] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
  ["contrast", "High contrast"],
];

const useStyles = makeStyles({
  rail: {
    gridArea: "rail",
    display: "flex",
    flexDirection: "column",
    alignItems: "stretch",
    backgroundColor: tokens.colorNeutralBackground3,
    borderRight: `1px solid ${tokens.colorNeutralStroke2}`,
    "@media (max-width: 640px)": {
      flexDirection: "row",
      justifyContent: "space-around",
      borderRight: "none",
      borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
    },
  },
  item: {
    position: "relative",
    display: "flex",
    flexDirection: "column",
    alignItems: "center",
    justifyContent: "center",
    gap: "2px",
    width: "100%",
    minHeight: "56px",
    padding: 0,
    border: "none",
    backgroundColor: "transparent",
    color: tokens.colorNeutralForeground2,
    fontFamily: tokens.fontFamilyBase,
    fontSize: tokens.fontSizeBase100,
    lineHeight: tokens.lineHeightBase100,
    textDecorationLine: "none",
    cursor: "pointer",
    ":hover": { backgroundColor: tokens.colorNeutralBackground3Hover },
    ":focus-visible": {
      outline: `2px solid ${tokens.colorStrokeFocus2}`,
      outlineOffset: "-2px",
    },
  },
  chosen: {
    color: tokens.colorBrandForeground1,
    "::before": {
      content: '""',
      position: "absolute",
      insetInlineStart: 0,
      top: "12px",
      bottom: "12px",
      width: "3px",
      borderRadius: tokens.borderRadiusCircular,
      backgroundColor: tokens.colorBrandForeground1,
      "@media (max-width: 640px)": {
        insetInlineStart: "25%",
        top: 0,
        bottom: "auto",
        width: "50%",
        height: "3px",
      },
    },
  },
  icon: { display: "flex", fontSize: "22px" },
});

export function Rail({ workspace }: { workspace: string }) {
  const styles = useStyles();
  const { pathname } = useLocation();
  const here = `/w/${encodeURIComponent(workspace)}`;
  const isMonitor = pathname.startsWith(`${here}/jobs`);
  const isRuns = pathname.startsWith(`${here}/runs`);
  const isWorkspace =
    pathname === "/workspaces" || (pathname.startsWith("/w/") && !isMonitor && !isRuns);
  return (
    <nav className={styles.rail} aria-label="Main">
      <Link to="/" {...look(styles, pathname === "/")}>
        <Icon>{pathname === "/" ? <HomeFilled /> : <HomeRegular />}</Icon>
        Home
      </Link>
      <Link to="/w/$workspace" params={{ workspace }} {...look(styles, isWorkspace)}>
        <Icon>{isWorkspace ? <StackFilled /> : <StackRegular />}</Icon>
        Workspaces
      </Link>
      <Link to="/w/$workspace/runs" params={{ workspace }} {...look(styles, isRuns)}>
        <Icon>{isRuns ? <BeakerFilled /> : <BeakerRegular />}</Icon>
        Runs
      </Link>
      <Link to="/w/$workspace/jobs" params={{ workspace }} {...look(styles, isMonitor)}>
        <Icon>{isMonitor ? <PulseFilled /> : <PulseRegular />}</Icon>
        Monitor
      </Link>
      <Link to="/create" {...look(styles, pathname === "/create")}>
        <Icon>{pathname === "/create" ? <AddCircleFilled /> : <AddCircleRegular />}</Icon>
        Create
      </Link>
      <More />
    </nav>
  );
}

function look(styles: ReturnType<typeof useStyles>, isChosen: boolean) {
  return {
    className: mergeClasses(styles.item, isChosen && styles.chosen),
    ...(isChosen ? { "aria-current": "page" as const } : {}),
  };
}

function Icon({ children }: { children: ReactNode }) {
  const styles = useStyles();
  return <span className={styles.icon}>{children}</span>;
}

function More() {
  const styles = useStyles();
  const chosen = useLook();
  const router = useRouter();
  return (
    <Menu positioning="after-top">
      <MenuTrigger disableButtonEnhancement>
        <button type="button" className={styles.item}>
          <Icon>
            <MoreHorizontalRegular />
          </Icon>
          More
        </button>
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          <MenuItem
            icon={<AddCircleRegular />}
            onClick={() => void router.navigate({ to: "/create" })}
          >
            Create
          </MenuItem>
          <MenuItem
            icon={<StackRegular />}
            onClick={() => void router.navigate({ to: "/workspaces" })}
          >
            All workspaces
          </MenuItem>
          <Menu>
            <MenuTrigger disableButtonEnhancement>
              <MenuItem icon={<DarkThemeRegular />}>Theme</MenuItem>
            </MenuTrigger>
            <MenuPopover>
              <MenuList
                checkedValues={{ look: [chosen] }}
                onCheckedValueChange={(_event, data) =>
                  setLook((data.checkedItems[0] ?? "system") as Look)
                }
              >
                {LOOKS.map(([value, label]) => (
                  <MenuItemRadio key={value} name="look" value={value}>
                    {label}
                  </MenuItemRadio>
                ))}
              </MenuList>
            </MenuPopover>
          </Menu>
          <MenuItem
            icon={<DocumentTextRegular />}
            onClick={() => window.open("/api/v1/openapi.json", "_blank", "noopener")}
          >
            API document
          </MenuItem>
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}
