/** A short list of what is known of something: a word and what it is. */
import { makeStyles, tokens } from "@fluentui/react-components";
import { Fragment, type ReactNode } from "react";

const useStyles = makeStyles({
  list: {
    display: "grid",
    gridTemplateColumns: "minmax(88px, 136px) minmax(0, 1fr)",
    columnGap: tokens.spacingHorizontalM,
    rowGap: tokens.spacingVerticalSNudge,
    margin: 0,
  },
  word: { color: tokens.colorNeutralForeground2 },
  what: { margin: 0, minWidth: 0, overflowWrap: "anywhere" },
});

export interface Fact {
  readonly word: string;
  /** Left out where there is nothing. */
  readonly what: ReactNode;
}

export function Facts({ facts }: { readonly facts: readonly Fact[] }) {
  const styles = useStyles();
  return (
    <dl className={styles.list}>
      {facts
        .filter((fact) => fact.what !== null && fact.what !== undefined && fact.what !== "")
        .map((fact) => (
          <Fragment key={fact.word}>
            <dt className={styles.word}>{fact.word}</dt>
            <dd className={styles.what}>{fact.what}</dd>
          </Fragment>
        ))}
    </dl>
  );
}
