/** Says that the server is away; it goes by itself. */
import { makeStyles, Spinner, tokens } from "@fluentui/react-components";

const useStyles = makeStyles({
  bar: {
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    minHeight: "28px",
    paddingInline: tokens.spacingHorizontalL,
    fontSize: tokens.fontSizeBase200,
    backgroundColor: tokens.colorStatusWarningBackground1,
    color: tokens.colorStatusWarningForeground3,
    borderBottom: `1px solid ${tokens.colorStatusWarningBorder1}`,
  },
});

export function ConnectionBar() {
  const styles = useStyles();
  return (
    <div className={styles.bar} role="status">
      <Spinner size="extra-tiny" />
      <span>The server does not answer. Trying again; what you typed is kept.</span>
    </div>
  );
}
