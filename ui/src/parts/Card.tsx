/** A titled box of a screen. */
import { makeStyles, mergeClasses, Text, tokens } from "@fluentui/react-components";
import { type ReactNode, useId } from "react";

const useStyles = makeStyles({
  card: {
    display: "flex",
    flexDirection: "column",
    minWidth: 0,
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusLarge,
    backgroundColor: tokens.colorNeutralBackground1,
  },
  head: {
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    minHeight: "40px",
    paddingInline: tokens.spacingHorizontalL,
  },
  title: { margin: 0, flexShrink: 0 },
  beside: {
    display: "flex",
    alignItems: "center",
    justifyContent: "flex-end",
    gap: tokens.spacingHorizontalS,
    flexGrow: 1,
    minWidth: 0,
  },
  body: {
    minWidth: 0,
    paddingInline: tokens.spacingHorizontalL,
    paddingBottom: tokens.spacingVerticalL,
  },
});

export interface CardProps {
  readonly title: string;
  /** Small things at the end of the head: a count, a button. */
  readonly beside?: ReactNode;
  readonly children: ReactNode;
  readonly className?: string;
}

export function Card({ title, beside, children, className }: CardProps) {
  const styles = useStyles();
  const id = useId();
  return (
    <section className={mergeClasses(styles.card, className)} aria-labelledby={id}>
      <div className={styles.head}>
        <Text as="h2" id={id} weight="semibold" className={styles.title}>
          {title}
        </Text>
        {beside !== undefined && <div className={styles.beside}>{beside}</div>}
      </div>
      <div className={styles.body}>{children}</div>
    </section>
  );
}
