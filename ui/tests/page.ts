/**
 * What every spec uses: a page that fails the test when it complains, and a check by axe.
 *
 * A complaint is an error in the console, an uncaught one, or a request that leaves the server.
 */
import { expect, type Page, test as plain } from "@playwright/test";
import axe from "axe-core";

export { expect };

declare global {
  interface Window {
    axe: typeof axe;
  }
}

/** Answers that a spec provokes; the browser logs each as an error. */
const EXPECTED = /the server responded with a status of (?:4\d\d|503)|ERR_CONNECTION_REFUSED/;

export const test = plain.extend<{ expected: RegExp; complaints: string[] }>({
  /** What a spec's own errors in the console say. */
  expected: [/(?!)/, { option: true }],
  complaints: [
    async ({ page, baseURL, expected }, use) => {
      const complaints: string[] = [];
      page.on("console", (message) => {
        const text = message.text();
        if (message.type() === "error" && !EXPECTED.test(text) && !expected.test(text)) {
          complaints.push(text);
        }
      });
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith(baseURL ?? "") && !/^(?:data|blob):/.test(url)) complaints.push(url);
      });
      await use(complaints);
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});

const LOOKS: readonly { name: string; media: Parameters<Page["emulateMedia"]>[0] }[] = [
  { name: "light", media: { colorScheme: "light", forcedColors: "none" } },
  { name: "dark", media: { colorScheme: "dark", forcedColors: "none" } },
  { name: "high contrast", media: { colorScheme: "dark", forcedColors: "active" } },
];

interface Asked {
  type: "rule" | "tag";
  values: string[];
}

const CONTRAST: Asked = { type: "rule", values: ["color-contrast"] };
const WCAG: Asked = {
  type: "tag",
  values: ["2a", "2aa", "21a", "21aa", "22aa"].map((level) => `wcag${level}`),
};

/** What axe finds; it is brought into the page once, which takes longer than most of what it does. */
async function violationsOf(
  page: Page,
  runOnly: Asked,
  apart: readonly string[] = [],
): Promise<readonly { id: string; nodes: readonly string[] }[]> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  // Fluent's focus traps are hidden stops that only pass the focus on.
  const exclude = ["[data-tabster-dummy]", ...apart].map((selector) => [selector]);
  return page.evaluate(
    async (asked: { exclude: string[][]; runOnly: Asked }) => {
      const { exclude, runOnly } = asked;
      const options = { resultTypes: ["violations" as const], runOnly };
      const { violations } = await window.axe.run({ exclude }, options);
      return violations.map(({ id, nodes }) => ({
        id,
        nodes: nodes.map((node) => node.target.join(" ")),
      }));
    },
    { exclude, runOnly },
  );
}

/**
 * Axe finds nothing against WCAG 2.2 AA, in light, dark and high contrast.
 *
 * Another look changes colours only, so the other rules are asked once.
 */
export async function expectAccessible(page: Page): Promise<void> {
  const said: string[] = [];
  const ground = () =>
    page.locator("main").evaluate((element) => getComputedStyle(element).backgroundColor);
  let before = "";
  for (const { name, media } of LOOKS) {
    await page.emulateMedia({ ...media, reducedMotion: "reduce" });
    await expect.poll(ground).not.toBe(before);
    before = await ground();
    // Colours that are still on their way from one look to the other belong to neither.
    await page.evaluate(async () => {
      const moving = document.getAnimations().filter((each) => each instanceof CSSTransition);
      await Promise.allSettled(moving.map((each) => each.finished));
    });
    const violations = await violationsOf(page, name === "light" ? WCAG : CONTRAST, [
      // Rows of a long list are alike.
      "[role=rowgroup] > [role=row]:nth-child(n+5)",
    ]);
    for (const { id, nodes } of violations) {
      said.push(`${name} ${id}: ${nodes.join(" | ")}`);
    }
  }
  await page.emulateMedia({ colorScheme: "light", forcedColors: "none" });
  expect(said).toEqual([]);
}

/** From the next opening on the page is in its own high contrast, with colours that nothing forces. */
export async function chooseContrast(page: Page): Promise<void> {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.addInitScript(() => localStorage.setItem("heddle.look", '"contrast"'));
}

/** What is seen now, with whatever is pointed at or has the focus, can be read. */
export async function expectReadable(page: Page): Promise<void> {
  const violations = await violationsOf(page, CONTRAST);
  expect(violations.flatMap(({ nodes }) => nodes)).toEqual([]);
}
