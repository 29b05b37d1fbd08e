/** "Apply this version": the way into the wizard, and code to copy, filled in for this version, in a dialog with tabs. */
import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  Field,
  makeStyles,
  Menu,
  MenuButton,
  MenuItem,
  MenuList,
  MenuPopover,
  MenuTrigger,
  Select,
  Tab,
  TabList,
  tokens,
} from "@fluentui/react-components";
import { CodeRegular, PlayCircleRegular, WandRegular } from "@fluentui/react-icons";
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { CodeBlock } from "@/parts/CodeBlock.tsx";
import type { Version } from "./queries.ts";
import { application } from "./snippets.ts";

const useStyles = makeStyles({
  surface: { maxWidth: "min(760px, 94vw)" },
  content: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalM },
  which: { maxWidth: "280px" },
  tabs: { overflow: "auto" },
});

export interface ApplyProps {
  readonly workspace: string;
  readonly version: Version;
}

export function ApplyMenu(props: ApplyProps) {
  const { workspace, version } = props;
  const router = useRouter();
  const [isShown, setShown] = useState(false);
  return (
    <>
      <Menu>
        <MenuTrigger disableButtonEnhancement>
          <MenuButton appearance="primary" size="small" icon={<PlayCircleRegular />}>
            Apply this version
          </MenuButton>
        </MenuTrigger>
        <MenuPopover>
          <MenuList>
            <MenuItem
              icon={<WandRegular />}
              onClick={() =>
                void router.navigate({
                  to: "/w/$workspace/models/$model/versions/$version/apply",
                  params: { workspace, model: version.model, version: String(version.version) },
                })
              }
            >
              Apply this model in wizard
            </MenuItem>
            <MenuItem icon={<CodeRegular />} onClick={() => setShown(true)}>
              Copy code to apply
            </MenuItem>
          </MenuList>
        </MenuPopover>
      </Menu>
      {isShown && <ApplyDialog {...props} onClose={() => setShown(false)} />}
    </>
  );
}

export function ApplyDialog({
  workspace,
  version,
  onClose,
}: ApplyProps & { readonly onClose: () => void }) {
  const styles = useStyles();
  const [tab, setTab] = useState("python");
  const [alias, setAlias] = useState("");
  const snippets = application({
    address: window.location.origin,
    workspace,
    version,
    ...(alias === "" ? {} : { alias }),
  });
  const shown = snippets.find((snippet) => snippet.id === tab) ?? snippets[0];
  return (
    <Dialog open onOpenChange={onClose}>
      <DialogSurface className={styles.surface}>
        <DialogBody>
          <DialogTitle>Apply version {version.version}</DialogTitle>
          <DialogContent className={styles.content}>
            {version.aliases.length > 0 && (
              <Field label="Refer to it by" className={styles.which}>
                <Select value={alias} onChange={(_event, data) => setAlias(data.value)}>
                  <option value="">its number, {version.version}</option>
                  {version.aliases.map((each) => (
                    <option key={each} value={each}>
                      {`its alias, @${each}`}
                    </option>
                  ))}
                </Select>
              </Field>
            )}
            <TabList
              size="small"
              className={styles.tabs}
              selectedValue={tab}
              onTabSelect={(_event, data) => setTab(String(data.value))}
            >
              {snippets.map((snippet) => (
                <Tab key={snippet.id} value={snippet.id}>
                  {snippet.label}
                </Tab>
              ))}
            </TabList>
            {shown && (
              <CodeBlock label="Code to apply" language={shown.language} code={shown.code} />
            )}
          </DialogContent>
          <DialogActions>
            <Button onClick={onClose}>Close</Button>
          </DialogActions>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
