/** Which workspace one is in, and going to another. */
import {
  Button,
  makeStyles,
  Menu,
  MenuDivider,
  MenuItem,
  MenuItemRadio,
  MenuList,
  MenuPopover,
  MenuTrigger,
  tokens,
} from "@fluentui/react-components";
import { AddRegular, ChevronDownRegular, SettingsRegular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { workspacesQuery } from "./queries.ts";
import { WorkspaceDialog } from "./WorkspaceDialog.tsx";

const useStyles = makeStyles({
  button: { minWidth: 0, maxWidth: "100%", fontWeight: tokens.fontWeightRegular },
  name: { overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  list: { maxHeight: "60vh", overflow: "auto" },
});

export function WorkspaceSwitcher({ workspace }: { workspace: string }) {
  const styles = useStyles();
  const router = useRouter();
  const [isCreating, setCreating] = useState(false);
  const { data } = useQuery(workspacesQuery);
  const go = (name: string) =>
    void router.navigate({ to: "/w/$workspace", params: { workspace: name } });
  return (
    <>
      <Menu
        checkedValues={{ workspace: [workspace] }}
        onCheckedValueChange={(_event, { checkedItems }) => go(checkedItems[0] ?? workspace)}
      >
        <MenuTrigger disableButtonEnhancement>
          <Button
            appearance="subtle"
            className={styles.button}
            icon={<ChevronDownRegular />}
            iconPosition="after"
            aria-label={`Workspace ${workspace}`}
          >
            <span className={styles.name}>{workspace}</span>
          </Button>
        </MenuTrigger>
        <MenuPopover>
          <MenuList className={styles.list}>
            {data?.workspaces.map((each) => (
              <MenuItemRadio key={each.name} name="workspace" value={each.name}>
                {each.name}
              </MenuItemRadio>
            ))}
            <MenuDivider />
            <MenuItem icon={<AddRegular />} onClick={() => setCreating(true)}>
              New workspace
            </MenuItem>
            <MenuItem
              icon={<SettingsRegular />}
              onClick={() => void router.navigate({ to: "/workspaces" })}
            >
              All workspaces
            </MenuItem>
          </MenuList>
        </MenuPopover>
      </Menu>
      {isCreating && (
        <WorkspaceDialog
          taken={data?.workspaces.map((each) => each.name) ?? []}
          onClose={() => setCreating(false)}
          onDone={go}
        />
      )}
    </>
  );
}
