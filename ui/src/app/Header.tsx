/** The bar on top: where one is, finding, help and the theme. */
import { Button, makeStyles, Text, tokens, Tooltip } from "@fluentui/react-components";
import {
  QuestionCircleRegular,
  SearchRegular,
  WeatherMoonRegular,
  WeatherSunnyRegular,
} from "@fluentui/react-icons";
import { Link } from "@tanstack/react-router";
import { shownKeys } from "@/lib/keyboard.ts";
import { setLook, useShownLook } from "@/lib/look.ts";
import { WorkspaceSwitcher } from "@/features/workspaces/WorkspaceSwitcher.tsx";
import { Logo } from "./Logo.tsx";

const NARROW = "@media (max-width: 640px)";

const useStyles = makeStyles({
  header: {
    gridArea: "head",
    display: "grid",
    gridTemplateColumns: "minmax(0, 1fr) minmax(0, 420px) minmax(0, 1fr)",
    alignItems: "center",
    gap: tokens.spacingHorizontalM,
    paddingInline: `${tokens.spacingHorizontalL} ${tokens.spacingHorizontalS}`,
    backgroundColor: tokens.colorNeutralBackground1,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    [NARROW]: {
      gridTemplateColumns: "minmax(0, 1fr) auto auto",
      gap: tokens.spacingHorizontalXS,
      paddingInline: tokens.spacingHorizontalS,
    },
  },
  start: { display: "flex", alignItems: "center", gap: tokens.spacingHorizontalM, minWidth: 0 },
  home: {
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    color: tokens.colorNeutralForeground1,
    textDecorationLine: "none",
    borderRadius: tokens.borderRadiusMedium,
  },
  name: { [NARROW]: { display: "none" } },
  find: {
    justifyContent: "space-between",
    width: "100%",
    fontWeight: tokens.fontWeightRegular,
    color: tokens.colorNeutralForeground3,
    backgroundColor: tokens.colorNeutralBackground2,
    [NARROW]: { display: "none" },
  },
  findText: { display: "flex", alignItems: "center", gap: tokens.spacingHorizontalS },
  findIcon: { display: "none", [NARROW]: { display: "inline-flex" } },
  end: { display: "flex", justifyContent: "flex-end", gap: tokens.spacingHorizontalXS },
});

export interface HeaderProps {
  readonly workspace: string;
  readonly onFind: () => void;
  readonly onShortcuts: () => void;
}

export function Header({ workspace, onFind, onShortcuts }: HeaderProps) {
  const styles = useStyles();
  const isLight = useShownLook() === "light";
  return (
    <header className={styles.header}>
      <div className={styles.start}>
        <Link to="/" className={styles.home} aria-label="Heddle, home">
          <Logo />
          <Text weight="semibold" size={400} className={styles.name}>
            Heddle
          </Text>
        </Link>
        <WorkspaceSwitcher workspace={workspace} />
      </div>
      <Button className={styles.find} onClick={onFind} aria-keyshortcuts="Control+K">
        <span className={styles.findText}>
          <SearchRegular /> Search models, runs, commands
        </span>
        <span>{shownKeys("mod+k").join(" ")}</span>
      </Button>
      <div className={styles.end}>
        <Tooltip content="Search" relationship="label">
          <Button
            className={styles.findIcon}
            appearance="subtle"
            icon={<SearchRegular />}
            onClick={onFind}
          />
        </Tooltip>
        <Tooltip content="Shortcuts" relationship="label">
          <Button appearance="subtle" icon={<QuestionCircleRegular />} onClick={onShortcuts} />
        </Tooltip>
        <Tooltip content={isLight ? "Dark theme" : "Light theme"} relationship="label">
          <Button
            appearance="subtle"
            icon={isLight ? <WeatherMoonRegular /> : <WeatherSunnyRegular />}
            onClick={() => setLook(isLight ? "dark" : "light")}
          />
        </Tooltip>
      </div>
    </header>
  );
}
