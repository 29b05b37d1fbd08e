/** An alias as it is shown everywhere: `@champion`. */
import { makeStyles, tokens } from "@fluentui/react-components";

const useStyles = makeStyles({
  alias: {
    display: "inline-block",
    maxWidth: "200px",
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
    verticalAlign: "middle",
    paddingInline: tokens.spacingHorizontalSNudge,
    borderRadius: tokens.borderRadiusMedium,
    border: `1px solid ${tokens.colorBrandStroke2}`,
    backgroundColor: tokens.colorBrandBackground2,
    color: tokens.colorBrandForeground2,
    fontSize: tokens.fontSizeBase200,
    lineHeight: tokens.lineHeightBase200,
  },
});

export function AliasBadge({ name, title }: { name: string; title?: string }) {
  const styles = useStyles();
  return (
    <span className={styles.alias} title={title ?? `@${name}`}>
      @{name}
    </span>
  );
}
