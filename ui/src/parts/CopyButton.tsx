/** Copies a text, and says that it did. */
import { Button, Tooltip } from "@fluentui/react-components";
import { CheckmarkRegular, CopyRegular } from "@fluentui/react-icons";
import { useEffect, useState } from "react";

const SAID_MS = 1600;

export interface CopyButtonProps {
  readonly text: string;
  /** What is copied, such as `path`; the button's name says it. */
  readonly what: string;
  /** Shown beside the icon; only the icon when left out. */
  readonly label?: string;
  readonly size?: "small" | "medium";
}

export function CopyButton({ text, what, label, size = "small" }: CopyButtonProps) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), SAID_MS);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const name = isCopied ? "Copied" : `Copy ${what}`;
  return (
    <Tooltip content={name} relationship="label">
      <Button
        size={size}
        appearance="subtle"
        icon={isCopied ? <CheckmarkRegular /> : <CopyRegular />}
        onClick={() => {
          void navigator.clipboard.writeText(text).then(() => setCopied(true));
        }}
      >
        {label}
      </Button>
    </Tooltip>
  );
}
