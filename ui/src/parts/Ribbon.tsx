/** The ribbon: commands of a screen under Home and View; what does not fit goes behind "...". */
import {
  makeStyles,
  Menu,
  MenuItem,
  MenuList,
  MenuPopover,
  MenuTrigger,
  Overflow,
  OverflowItem,
  Tab,
  TabList,
  tokens,
  Toolbar,
  ToolbarButton,
  ToolbarDivider,
  Tooltip,
  useIsOverflowItemVisible,
  useOverflowMenu,
} from "@fluentui/react-components";
import { MoreHorizontalRegular } from "@fluentui/react-icons";
import { useState } from "react";
import { fluentRef } from "@/lib/fluentRef.ts";
import { shownKeys } from "@/lib/keyboard.ts";
import type { Command } from "./commands.ts";

const TABS = ["Home", "View"] as const;

const useStyles = makeStyles({
  ribbon: {
    display: "flex",
    alignItems: "center",
    minHeight: "40px",
    minWidth: 0,
    marginInlineStart: `calc(-1 * ${tokens.spacingHorizontalS})`,
  },
  tools: { flexGrow: 1, minWidth: 0, flexWrap: "nowrap", overflow: "hidden", paddingInline: 0 },
  tool: {
    flexShrink: 0,
    whiteSpace: "nowrap",
    "& > button": { fontWeight: tokens.fontWeightRegular },
  },
});

export function Ribbon({ commands }: { commands: readonly Command[] }) {
  const styles = useStyles();
  const [chosen, setChosen] = useState<string>("Home");
  const tabs = TABS.filter((tab) => commands.some((command) => (command.tab ?? "Home") === tab));
  const tab = tabs.find((each) => each === chosen) ?? tabs[0] ?? "Home";
  const shown = commands.filter((command) => (command.tab ?? "Home") === tab);
  return (
    <div className={styles.ribbon}>
      {tabs.length > 1 && (
        <>
          <TabList
            size="small"
            selectedValue={tab}
            onTabSelect={(_event, data) => setChosen(String(data.value))}
            aria-label="Ribbon"
          >
            {tabs.map((each) => (
              <Tab key={each} value={each}>
                {each}
              </Tab>
            ))}
          </TabList>
          <ToolbarDivider />
        </>
      )}
      <Overflow padding={48}>
        <Toolbar size="small" className={styles.tools} aria-label={`${tab} commands`}>
          {shown.map((command, at) => (
            <OverflowItem key={command.id} id={command.id} priority={shown.length - at}>
              <div className={styles.tool}>
                <Tool command={command} />
              </div>
            </OverflowItem>
          ))}
          <Rest commands={shown} />
        </Toolbar>
      </Overflow>
    </div>
  );
}

function Tool({ command }: { command: Command }) {
  const { icon, label, run, refusal, items, isPrimary = false } = command;
  const button = (
    <ToolbarButton
      icon={icon ?? null}
      appearance={isPrimary ? "primary" : "subtle"}
      disabledFocusable={refusal !== undefined}
      onClick={items || refusal !== undefined ? undefined : run}
    >
      {label}
    </ToolbarButton>
  );
  if (items) {
    return (
      <Menu>
        <MenuTrigger disableButtonEnhancement>{button}</MenuTrigger>
        <MenuPopover>
          <MenuList>
            {items.map((item) => (
              <Entry key={item.id} command={item} />
            ))}
          </MenuList>
        </MenuPopover>
      </Menu>
    );
  }
  const hint = refusal ?? (command.keys ? shownKeys(command.keys).join("+") : undefined);
  if (hint === undefined) return button;
  return (
    <Tooltip content={hint} relationship="description">
      {button}
    </Tooltip>
  );
}

function Entry({ command }: { command: Command }) {
  if (command.items) {
    return (
      <Menu>
        <MenuTrigger disableButtonEnhancement>
          <MenuItem icon={command.icon ?? null}>{command.label}</MenuItem>
        </MenuTrigger>
        <MenuPopover>
          <MenuList>
            {command.items.map((item) => (
              <Entry key={item.id} command={item} />
            ))}
          </MenuList>
        </MenuPopover>
      </Menu>
    );
  }
  return (
    <MenuItem
      icon={command.icon ?? null}
      disabled={command.refusal !== undefined}
      onClick={command.run}
      secondaryContent={command.keys ? shownKeys(command.keys).join("+") : null}
    >
      {command.label}
    </MenuItem>
  );
}

function Rest({ commands }: { commands: readonly Command[] }) {
  const { ref, isOverflowing } = useOverflowMenu<HTMLButtonElement>();
  if (!isOverflowing) return null;
  return (
    <Menu>
      <MenuTrigger disableButtonEnhancement>
        <ToolbarButton
          ref={fluentRef(ref)}
          icon={<MoreHorizontalRegular />}
          aria-label="More commands"
        />
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          {commands.map((command) => (
            <RestEntry key={command.id} command={command} />
          ))}
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}

function RestEntry({ command }: { command: Command }) {
  return useIsOverflowItemVisible(command.id) ? null : <Entry command={command} />;
}
