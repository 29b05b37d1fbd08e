/**
 * The looks of the page: light, dark and high contrast, from one ramp of teal.
 *
 * Leaves to others: colours of charts.
 */
import {
  type BrandVariants,
  createDarkTheme,
  createLightTheme,
  teamsHighContrastTheme,
  type Theme,
} from "@fluentui/react-components";
import type { ShownLook } from "@/lib/look.ts";

const TEAL: BrandVariants = {
  10: "#01201b",
  20: "#022c25",
  30: "#033b32",
  40: "#054a3e",
  50: "#085a4c",
  60: "#0a6656",
  70: "#0d705f",
  80: "#117865",
  90: "#1c8a75",
  100: "#289d86",
  110: "#38b198",
  120: "#4fc4aa",
  130: "#74d3bc",
  140: "#9be1cf",
  150: "#bfede1",
  160: "#e4f8f2",
};

const FONT =
  "'Segoe UI', 'Segoe UI Web (West European)', -apple-system, 'Noto Sans', 'Open Sans', " +
  "Roboto, Ubuntu, Cantarell, 'Liberation Sans', sans-serif";
const shared = { fontFamilyBase: FONT };

const light: Theme = { ...createLightTheme(TEAL), ...shared };
const dark: Theme = {
  ...createDarkTheme(TEAL),
  ...shared,
  colorBrandForeground1: TEAL[120],
  colorBrandForeground2: TEAL[130],
  colorBrandForegroundLink: TEAL[120],
  colorBrandForegroundLinkHover: TEAL[130],
  colorBrandForegroundLinkPressed: TEAL[110],
  colorNeutralForeground2BrandHover: TEAL[120],
  colorCompoundBrandForeground1: TEAL[120],
  colorCompoundBrandStroke: TEAL[110],
};
/**
 * Fluent paints what is pointed at, pressed or chosen cyan with black words. Links and what else has
 * a colour of its own stay bright there, and would be lost; so such grounds are dark greys here.
 */
const GROUND =
  /^color(?:Neutral(?:Card)?Background\d?|SubtleBackground(?:LightAlpha)?|TransparentBackground)(Hover|Pressed|Selected)$/;
const WORDS = /^colorNeutralForeground\d(Brand)?(?:Hover|Pressed|Selected)$/;
const GREYS: Readonly<Record<string, string>> = {
  Hover: "#333333",
  Pressed: "#4a4a4a",
  Selected: "#3d3d3d",
};

function withDarkGrounds(theme: Theme): Theme {
  const changed = Object.entries(theme).map(([name, value]): [string, unknown] => {
    const state = GROUND.exec(name)?.[1];
    if (state !== undefined) return [name, GREYS[state]];
    const words = WORDS.exec(name);
    if (words === null) return [name, value];
    return [name, words[1] === undefined ? "#ffffff" : theme.colorCompoundBrandForeground1];
  });
  return { ...theme, ...(Object.fromEntries(changed) as Partial<Theme>) };
}

const contrast: Theme = {
  ...withDarkGrounds(teamsHighContrastTheme),
  ...shared,
  colorBrandBackground2: "#00414a",
};

export const THEMES: Record<ShownLook, Theme> = { light, dark, contrast };
