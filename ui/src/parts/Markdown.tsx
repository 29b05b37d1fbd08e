/**
 * Markdown as people read it. Always holds: whatever it says, no script runs, no style leaks, and
 * nothing is fetched: pictures show only what they are called.
 */
import { makeStyles, tokens } from "@fluentui/react-components";
import DOMPurify from "dompurify";
import { marked } from "marked";
import { useMemo } from "react";

/** Longer texts are shown plain: reading them takes time. */
const READ_MAX = 200_000;
const cleaner = DOMPurify(globalThis.window);
cleaner.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

const useStyles = makeStyles({
  text: {
    overflowWrap: "anywhere",
    minWidth: 0,
    "& > :first-child": { marginTop: 0 },
    "& > :last-child": { marginBottom: 0 },
    "& h1, & h2, & h3, & h4": {
      fontSize: tokens.fontSizeBase400,
      lineHeight: tokens.lineHeightBase400,
      marginBlock: tokens.spacingVerticalM,
    },
    "& p, & ul, & ol, & pre, & table": { marginBlock: tokens.spacingVerticalS },
    "& pre": {
      overflow: "auto",
      padding: tokens.spacingHorizontalM,
      backgroundColor: tokens.colorNeutralBackground3,
      borderRadius: tokens.borderRadiusMedium,
    },
    "& code": { fontFamily: tokens.fontFamilyMonospace, fontSize: tokens.fontSizeBase200 },
    "& a": { color: tokens.colorBrandForegroundLink },
    "& table": { borderCollapse: "collapse", display: "block", overflowX: "auto" },
    "& th, & td": {
      border: `1px solid ${tokens.colorNeutralStroke2}`,
      paddingBlock: tokens.spacingVerticalXXS,
      paddingInline: tokens.spacingHorizontalS,
      textAlign: "start",
    },
    "& blockquote": {
      marginInline: 0,
      paddingInlineStart: tokens.spacingHorizontalM,
      borderInlineStartWidth: "3px",
      borderInlineStartStyle: "solid",
      borderInlineStartColor: tokens.colorNeutralStroke2,
      color: tokens.colorNeutralForeground2,
    },
  },
  plain: { whiteSpace: "pre-wrap", overflowWrap: "anywhere" },
});

export function Markdown({ text }: { readonly text: string }) {
  const styles = useStyles();
  const html = useMemo(() => (text.length > READ_MAX ? null : readMarkdown(text)), [text]);
  if (html === null) return <div className={styles.plain}>{text}</div>;
  return <div className={styles.text} dir="auto" dangerouslySetInnerHTML={{ __html: html }} />;
}

function readMarkdown(text: string): string {
  const renderer = new marked.Renderer();
  renderer.image = ({ text: name, href }) => escapeHtml(name === "" ? href : name);
  const html = marked.parse(text, { async: false, gfm: true, breaks: false, renderer });
  return cleaner.sanitize(html, {
    USE_PROFILES: { html: true },
    FORBID_TAGS: ["style", "form", "input", "button", "img", "video", "audio", "svg", "math"],
    FORBID_ATTR: ["style", "class", "id", "name", "srcset"],
  });
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
