/** The mark: threads of a loom, one passing through the eye of a heddle. */
import { tokens } from "@fluentui/react-components";

export function Logo() {
  return (
    <svg width="28" height="28" viewBox="0 0 32 32" aria-hidden>
      <rect width="32" height="32" rx="7" fill={tokens.colorBrandBackground} />
      <g
        fill="none"
        stroke={tokens.colorNeutralForegroundOnBrand}
        strokeWidth="2.4"
        strokeLinecap="round"
      >
        <path d="M9 5v22M16 5v7M16 20v7M23 5v22" />
        <ellipse cx="16" cy="16" rx="3.4" ry="4.2" />
      </g>
    </svg>
  );
}
