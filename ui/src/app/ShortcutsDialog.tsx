/** The list of shortcuts of the present screen. */
import {
  Dialog,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  makeStyles,
  tokens,
} from "@fluentui/react-components";
import { shownKeys, useListedShortcuts } from "@/lib/keyboard.ts";

const useStyles = makeStyles({
  list: {
    display: "grid",
    gridTemplateColumns: "max-content 1fr",
    gap: `${tokens.spacingVerticalS} ${tokens.spacingHorizontalL}`,
    margin: 0,
    alignItems: "center",
  },
  keys: { display: "flex", gap: tokens.spacingHorizontalXS },
  key: {
    minWidth: "24px",
    paddingInline: tokens.spacingHorizontalXS,
    textAlign: "center",
    fontFamily: tokens.fontFamilyBase,
    fontSize: tokens.fontSizeBase200,
    lineHeight: "22px",
    border: `1px solid ${tokens.colorNeutralStroke1}`,
    borderRadius: tokens.borderRadiusMedium,
    backgroundColor: tokens.colorNeutralBackground2,
  },
  label: { margin: 0 },
});

export function ShortcutsDialog({ onClose }: { onClose: () => void }) {
  const styles = useStyles();
  const shortcuts = useListedShortcuts();
  const shown = shortcuts.filter(
    (shortcut, at) => shortcuts.findLastIndex((other) => other.keys === shortcut.keys) === at,
  );
  return (
    <Dialog open onOpenChange={onClose}>
      <DialogSurface>
        <DialogBody>
          <DialogTitle>Shortcuts</DialogTitle>
          <DialogContent>
            <dl className={styles.list}>
              {shown.map((shortcut) => (
                <div key={shortcut.keys} style={{ display: "contents" }}>
                  <dt className={styles.keys}>
                    {shownKeys(shortcut.keys).map((key) => (
                      <kbd key={key} className={styles.key}>
                        {key}
                      </kbd>
                    ))}
                  </dt>
                  <dd className={styles.label}>{shortcut.label}</dd>
                </div>
              ))}
            </dl>
          </DialogContent>
        </DialogBody>
      </DialogSurface>
    </Dialog>
  );
}
