/** What to say where nothing is yet: what belongs there, and how it comes there. */
import { makeStyles, Subtitle2, tokens } from "@fluentui/react-components";
import type { ReactNode } from "react";

const useStyles = makeStyles({
  state: {
    display: "flex",
    flexDirection: "column",
    alignItems: "center",
    gap: tokens.spacingVerticalS,
    maxWidth: "720px",
    marginInline: "auto",
    paddingBlock: tokens.spacingVerticalXXXL,
    paddingInline: tokens.spacingHorizontalM,
    textAlign: "center",
    color: tokens.colorNeutralForeground2,
  },
  icon: { fontSize: "40px", lineHeight: 1, color: tokens.colorBrandForeground1 },
  title: { margin: 0, color: tokens.colorNeutralForeground1 },
  more: { width: "100%", textAlign: "start", marginTop: tokens.spacingVerticalM },
});

export interface EmptyStateProps {
  readonly title: string;
  readonly icon?: ReactNode;
  /** A sentence or two. */
  readonly children?: ReactNode;
  readonly action?: ReactNode;
  /** Something wider below, such as a snippet. */
  readonly more?: ReactNode;
}

export function EmptyState({ title, icon, children, action, more }: EmptyStateProps) {
  const styles = useStyles();
  return (
    <div className={styles.state}>
      {icon && (
        <span className={styles.icon} aria-hidden>
          {icon}
        </span>
      )}
      <Subtitle2 as="h2" className={styles.title}>
        {title}
      </Subtitle2>
      {children && <div>{children}</div>}
      {action}
      {more && <div className={styles.more}>{more}</div>}
    </div>
  );
}
