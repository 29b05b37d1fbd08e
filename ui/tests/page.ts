/**
 * What every spec uses: a page that fails the test when it complains, and a check by axe.
 *
 * A complaint is an error in the console, an uncaught one, or a request that leaves the server.
 */
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page, test as plain } from "@playwright/test";

export { expect };

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

const WCAG = {
  type: "tag" as const,
  values: ["2a", "2aa", "21a", "21aa", "22aa"].map((level) => `wcag${level}`),
};

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
    const axe = new AxeBuilder({ page })
      .setLegacyMode(true)
      .options({
        resultTypes: ["violations"],
        runOnly: name === "light" ? WCAG : { type: "rule", values: ["color-contrast"] },
      })
      // Fluent's focus traps are hidden stops that only pass the focus on.
      .exclude("[data-tabster-dummy]")
      // Rows of a long list are alike.
      .exclude("[role=rowgroup] > [role=row]:nth-child(n+5)");
    const { violations } = await axe.analyze();
    for (const { id, nodes } of violations) {
      said.push(`${name} ${id}: ${nodes.map((node) => node.target.join(" ")).join(" | ")}`);
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
  const { violations } = await new AxeBuilder({ page })
    .setLegacyMode(true)
    .options({ runOnly: { type: "rule", values: ["color-contrast"] } })
    .exclude("[data-tabster-dummy]")
    .analyze();
  const said = violations.flatMap(({ nodes }) => nodes.map((node) => node.target.join(" ")));
  expect(said).toEqual([]);
}
