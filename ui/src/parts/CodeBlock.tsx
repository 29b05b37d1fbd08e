/** Code: coloured, scrolling by itself, copied with one click. */
import { makeStyles, mergeClasses, tokens } from "@fluentui/react-components";
import { useEffect, useState } from "react";
import { CopyButton } from "./CopyButton.tsx";

/** Longer code is shown plain: colouring takes time in proportion. */
const COLOURED_MAX = 120_000;

const useStyles = makeStyles({
  frame: {
    display: "grid",
    gridTemplateColumns: "minmax(0, 1fr) auto",
    alignItems: "start",
    minWidth: 0,
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusMedium,
    backgroundColor: tokens.colorNeutralBackground3,
  },
  code: {
    margin: 0,
    padding: tokens.spacingHorizontalM,
    overflow: "auto",
    maxHeight: "inherit",
    boxSizing: "border-box",
    fontFamily: tokens.fontFamilyMonospace,
    fontSize: tokens.fontSizeBase200,
    lineHeight: tokens.lineHeightBase300,
    whiteSpace: "pre",
    tabSize: 4,
    textAlign: "start",
    color: tokens.colorNeutralForeground1,
    "& .hljs-keyword, & .hljs-built_in, & .hljs-literal": {
      color: tokens.colorPaletteBlueForeground2,
    },
    "& .hljs-string": { color: tokens.colorPaletteGreenForeground1 },
    "& .hljs-number": { color: tokens.colorPaletteBerryForeground1 },
    "& .hljs-attr, & .hljs-attribute, & .hljs-name": {
      color: tokens.colorPaletteTealForeground2,
    },
    "& .hljs-title, & .hljs-section": { color: tokens.colorPalettePurpleForeground2 },
    "& .hljs-comment, & .hljs-meta": { color: tokens.colorNeutralForeground3 },
    "& .hljs-strong": { fontWeight: tokens.fontWeightSemibold },
    "& .hljs-emphasis": { fontStyle: "italic" },
  },
  wrapped: { whiteSpace: "pre-wrap", overflowWrap: "anywhere" },
  copy: { padding: tokens.spacingHorizontalXS },
});

export interface CodeBlockProps {
  readonly code: string;
  readonly language?: string;
  readonly label: string;
  readonly isWrapped?: boolean;
}

export function CodeBlock({ code, language = "", label, isWrapped = false }: CodeBlockProps) {
  const styles = useStyles();
  const html = useHighlighted(code, language);
  const given = {
    className: mergeClasses(styles.code, isWrapped && styles.wrapped),
    tabIndex: 0,
    role: "region",
    "aria-label": label,
  };
  return (
    <div className={styles.frame}>
      {html === null ? (
        <pre {...given}>{code}</pre>
      ) : (
        // The highlighter escapes everything that it is given.
        <pre {...given} dangerouslySetInnerHTML={{ __html: html }} />
      )}
      <div className={styles.copy}>
        <CopyButton text={code} what={label.toLowerCase()} />
      </div>
    </div>
  );
}

function useHighlighted(code: string, language: string): string | null {
  const [made, setMade] = useState<{ code: string; html: string | null } | null>(null);
  useEffect(() => {
    if (language === "" || code.length > COLOURED_MAX) return;
    let isWanted = true;
    void import("./highlight.ts").then(({ highlight }) => {
      if (isWanted) setMade({ code, html: highlight(code, language) });
    });
    return () => {
      isWanted = false;
    };
  }, [code, language]);
  return made?.code === code ? made.html : null;
}
