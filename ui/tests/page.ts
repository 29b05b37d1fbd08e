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

export const test = plain.extend<{ complaints: string[] }>({
  complaints: [
    async ({ page, baseURL }, use) => {
      const complaints: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error" && !EXPECTED.test(message.text())) {
          complaints.push(message.text());
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

/** Axe finds nothing against WCAG 2.2 AA, in light and in dark. */
export async function expectAccessible(page: Page): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const found = await new AxeBuilder({ page })
      .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])
      // Fluent's focus traps are hidden stops that only pass the focus on.
      .exclude("[data-tabster-dummy]")
      .analyze();
    const said = found.violations.map(
      (violation) =>
        `${colorScheme} ${violation.id}: ${violation.nodes.map((node) => node.target.join(" ")).join(" | ")}`,
    );
    expect(said).toEqual([]);
  }
}
