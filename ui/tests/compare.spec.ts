/** The comparison that opens with a selection: charts, differences, files, all in the address. */
import { readFile } from "node:fs/promises";
import type { Locator, Page } from "@playwright/test";
import { expect, expectAccessible, test } from "./page.ts";

const PATH = "/w/default/models/forest/list";

/** Select these versions by their check marks. */
async function select(page: Page, ...versions: readonly number[]): Promise<void> {
  for (const version of versions) {
    const link = page.getByRole("link", { name: `Version ${version}`, exact: true });
    await page.getByRole("row").filter({ has: link }).getByRole("checkbox").click();
  }
}

function chart(page: Page, title: string | RegExp): Locator {
  return page.getByRole("group", { name: title, exact: typeof title === "string" });
}

/** What a drawn chart says of itself, and that its canvas is not blank. */
async function expectDrawn(page: Page, title: string | RegExp, says: RegExp): Promise<void> {
  const drawn = chart(page, title).getByRole("img");
  await expect(drawn).toHaveAccessibleName(says);
  await expect.poll(() => coloursOf(drawn)).toBeGreaterThan(1);
}

/** How many colours a canvas shows. */
function coloursOf(drawn: Locator): Promise<number> {
  return drawn
    .locator("canvas")
    .first()
    .evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height) ?? {
        data: new Uint8ClampedArray(),
      };
      const found = new Set<number>();
      for (let at = 0; at < data.length; at += 4) {
        if ((data[at + 3] ?? 0) > 200) {
          found.add(((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0));
        }
      }
      return found.size;
    });
}

/** Open the editor of a chart. */
async function edit(page: Page, title: string): Promise<Locator> {
  await chart(page, title)
    .getByRole("button", { name: `Edit ${title}` })
    .click();
  return page.getByRole("dialog", { name: /^Edit / });
}

async function choose(page: Page, label: string, option: string): Promise<void> {
  await page.getByRole("combobox", { name: label, exact: true }).click();
  await page.getByRole("option", { name: option, exact: true }).click();
}

/** Add a column to an axis that has several, by typing a part of its name. */
async function addTo(page: Page, label: string, ...columns: readonly string[]): Promise<void> {
  const field = page.getByRole("combobox", { name: label, exact: true });
  for (const column of columns) {
    await field.click();
    await field.fill(column);
    await page.getByRole("menuitemcheckbox", { name: column, exact: true }).click();
    await page.keyboard.press("Escape");
  }
}

async function menu(page: Page, title: string, item: string): Promise<void> {
  await chart(page, title)
    .getByRole("button", { name: `More of ${title}` })
    .click();
  await page.getByRole("menuitem", { name: item }).click();
}

test("charts open with the selection, rows are shown and hidden by their eye", async ({ page }) => {
  await page.goto(PATH);
  await select(page, 40, 39, 38);
  await expectDrawn(page, "rmse by run name", /Bar chart, 3 bars/);
  await expect(chart(page, "r2 by run name").getByRole("img")).toHaveAccessibleName(/2 bars/);
  await expectAccessible(page);
  await page.getByRole("button", { name: "Show row 2 in charts" }).click();
  await expectDrawn(page, "rmse by run name", /Bar chart, 2 bars/);
  await expect(page).toHaveURL(/hidden=39/);
});

test("legends switch, isolate and point; what is pointed at is shown everywhere", async ({
  page,
}) => {
  await page.goto(`${PATH}?rows=38-40`);
  await edit(page, "rmse by run name");
  await choose(page, "Visualization type", "Line");
  await page.getByRole("button", { name: "Done" }).click();
  const title = "rmse over step";
  const entry = chart(page, title).getByRole("button", { name: /^v39/ });
  await expectDrawn(page, title, /3 lines/);
  const cell = page.getByRole("row", { selected: true }).nth(1).getByRole("gridcell").nth(1);
  const ground = () => cell.evaluate((element) => getComputedStyle(element).backgroundColor);
  await page.getByRole("combobox", { name: "Filter versions" }).hover();
  const before = await ground();
  await entry.hover();
  await expect.poll(ground).not.toBe(before);
  await entry.click();
  await expectDrawn(page, title, /2 lines/);
  await expect(page).toHaveURL(/hidden=39/);
  await entry.click();
  await expectDrawn(page, title, /3 lines/);
  // A double click leaves one only.
  await entry.dblclick();
  await expectDrawn(page, title, /1 lines?$/);
  await expect(entry).toHaveAttribute("aria-pressed", "true");
  // And again, all.
  await entry.dblclick();
  await expectDrawn(page, title, /3 lines/);
});

test("every kind of chart is drawn", async ({ page }) => {
  await page.goto(PATH);
  await select(page, 40, 39, 38, 37, 36, 35, 34);
  await page.getByRole("button", { name: "Add chart" }).click();
  const pane = page.getByRole("dialog", { name: "Edit New chart" });
  await expect(pane).toBeVisible();
  await addTo(page, "Y axis", "rmse");
  await page.getByLabel("Title").fill("mine");
  await expectDrawn(page, "mine", /Bar chart, 7 bars/);
  for (const [type, says] of [
    ["Line", /Line chart, 7 lines/],
    ["Scatter", /Scatter chart, 7 points/],
    ["Box", /Box chart, 1 box/],
    ["Histogram", /Histogram, \d+ bins/],
  ] as const) {
    await choose(page, "Visualization type", type);
    await expectDrawn(page, "mine", says);
  }
  await choose(page, "Visualization type", "Parallel coordinates");
  await addTo(page, "Axes", "n_estimators", "max_depth");
  await expectDrawn(page, "mine", /Parallel coordinates, 7 lines over 3 axes/);
  await choose(page, "Visualization type", "Contour");
  await page.getByRole("button", { name: "Remove max_depth" }).click();
  const x = page.getByRole("combobox", { name: "X axis", exact: true });
  await x.click();
  await x.fill("max_depth");
  await page.getByRole("option", { name: "max_depth", exact: true }).click();
  await expectDrawn(page, "mine", /Contours of n_estimators from 340 to 400, 7 points/);
  await page.keyboard.press("Escape");
  await expect(pane).toBeHidden();
});

test("axes, scale, grouping with bands, smoothing, colours and legend are chosen", async ({
  page,
}) => {
  await page.goto(`${PATH}?rows=33-40`);
  await page.getByRole("button", { name: "Full height" }).click();
  const pane = await edit(page, "rmse by run name");
  await choose(page, "Visualization type", "Line");
  await expectDrawn(page, "rmse over step", /Line chart, 8 lines/);
  await choose(page, "Y scale", "Logarithmic");
  await addTo(page, "Y axis", "loss.train");
  await expectDrawn(page, /^rmse, loss.train over step/, /Line chart, 16 lines/);
  await pane.getByRole("button", { name: "Remove loss.train" }).click();
  await choose(page, "Group by", "max_depth");
  await expectDrawn(page, "rmse over step", /Line chart, 4 lines/);
  await choose(page, "Bands", "95 % confidence interval");
  await choose(page, "Smoothing", "Exponential moving average");
  await choose(page, "Colours", "One colour");
  await choose(page, "Legend", "Above");
  await pane.getByRole("checkbox", { name: "Ignore outliers" }).check();
  await choose(page, "X axis", "Relative time");
  await pane.getByLabel("X to").fill("12");
  await pane.getByLabel("Title").fill("shaped");
  await expectDrawn(page, "shaped", /Line chart, 4 lines/);
  await expectAccessible(page);
  await pane.getByRole("button", { name: "Done" }).click();
  // Escape in the editor takes all changes back.
  const again = await edit(page, "shaped");
  await choose(page, "Visualization type", "Box");
  await expectDrawn(page, "shaped", /Box chart/);
  await again.getByLabel("Title").press("Escape");
  await expectDrawn(page, "shaped", /Line chart, 4 lines/);
});

test("charts are removed, moved, enlarged and saved as files", async ({ page }) => {
  await page.goto(`${PATH}?rows=38-40`);
  const titles = () =>
    page
      .locator("[data-chart]")
      .evaluateAll((cards) => cards.map((card) => card.getAttribute("aria-label")));
  const first = "loss.train by run name";
  const second = "r2 by run name";
  const third = "rmse by run name";
  await expect.poll(titles).toEqual([first, second, third]);
  await menu(page, first, "Move later");
  await expect.poll(titles).toEqual([second, first, third]);
  await chart(page, third)
    .getByText(third, { exact: true })
    .dragTo(chart(page, second).getByText(second, { exact: true }));
  await expect.poll(titles).toEqual([third, second, first]);
  await menu(page, second, "Remove");
  await expect.poll(titles).toEqual([third, first]);
  await page.goBack();
  await expect.poll(titles).toEqual([third, second, first]);
  await page.goForward();
  await expect.poll(titles).toEqual([third, first]);
  for (const [kind, begins] of [
    ["PNG", "\u0089PNG"],
    ["SVG", "<svg"],
    ["CSV", "key,name"],
  ] as const) {
    const saved = page.waitForEvent("download");
    await menu(page, first, `Save as ${kind}`);
    const text = await readFile(await (await saved).path(), "latin1");
    expect(text.slice(0, begins.length)).toBe(begins);
  }
  await menu(page, first, "Enlarge");
  const large = page.getByRole("dialog", { name: first });
  await expect(large.getByRole("img")).toHaveAccessibleName(/Bar chart, 3 bars/);
  await page.keyboard.press("Escape");
  await expect(large).toBeHidden();
});

test("a zoomed chart asks for the stretch that is seen, and shows all again", async ({ page }) => {
  await page.goto(`${PATH}?rows=39.40`);
  await page.getByRole("button", { name: "Full height" }).click();
  await edit(page, "rmse by run name");
  await choose(page, "Visualization type", "Line");
  await page.getByRole("button", { name: "Done" }).click();
  await expectDrawn(page, "rmse over step", /Line chart, 2 lines/);
  const drawn = chart(page, "rmse over step").getByRole("img");
  const box = await drawn.boundingBox();
  if (box === null) throw new Error("no chart");
  const asked = page.waitForRequest(
    (request) =>
      request.url().endsWith("/series") &&
      (JSON.parse(request.postData() ?? "{}") as { start: unknown }).start !== null,
  );
  const middle = box.y + box.height / 2;
  await page.mouse.move(box.x + box.width * 0.4, middle);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, middle, { steps: 4 });
  await page.mouse.move(box.x + box.width * 0.7, middle, { steps: 4 });
  await page.mouse.up();
  const { start, end } = JSON.parse((await asked).postData() ?? "{}") as Record<string, number>;
  expect(start).toBeGreaterThan(4);
  expect(end).toBeLessThan(22);
  await expect(page).toHaveURL(/zoom=/);
  await page.reload();
  await page.getByRole("button", { name: "Show everything" }).click();
  await expect(page).not.toHaveURL(/zoom=/);
  // By keys as well.
  await drawn.focus();
  await page.keyboard.press("+");
  await expect(page).toHaveURL(/zoom=/);
  await page.keyboard.press("0");
  await expect(page).not.toHaveURL(/zoom=/);
});

test("differences have a baseline, deltas, and a direction that is remembered", async ({
  page,
}) => {
  await page.goto(`${PATH}?rows=1-3`);
  await page.getByRole("tab", { name: "Differences" }).click();
  const table = page.getByRole("table", { name: "Differences" });
  const line = (name: string) =>
    table.getByRole("row").filter({ has: page.getByRole("rowheader", { name, exact: false }) });
  await expect(line("n_estimators")).toContainText("30");
  await expect(line("booster")).toBeHidden();
  await expect(line("rmse")).toContainText("%");
  await table.getByRole("columnheader").getByRole("button", { name: "3" }).click();
  await expect(page).toHaveURL(/baseline=3/);
  await expect(line("rmse").getByRole("cell").nth(2)).not.toContainText("%");
  await page.getByRole("button", { name: "rmse: lower is better" }).click();
  await expect(page.getByRole("button", { name: "rmse: higher is better" })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("switch", { name: "Equal rows too" }).click();
  await expect(line("booster")).toBeVisible();
  await page.reload();
  await expect(line("booster")).toBeVisible();
  await expect(page.getByRole("button", { name: "rmse: higher is better" })).toBeVisible();
});

test("schema and files differ side by side", async ({ page }) => {
  await page.goto(`${PATH}?rows=1.3&pane=differences`);
  const table = page.getByRole("table", { name: "Differences" });
  await expect(table.getByText("Schema")).toBeVisible();
  const file = table.getByRole("row").filter({ hasText: "config.yaml" });
  await file.getByRole("button", { name: "Compare" }).click();
  const beside = page.getByRole("region", { name: "config.yaml side by side" });
  await expect(beside).toContainText("trees: 10");
  await expect(beside).toContainText("trees: 30");
  await expect(beside).toContainText("equal lines");
  await expectAccessible(page);
  await choose(page, "File", "same.txt");
  await expect(page.getByRole("heading", { name: "The same" })).toBeVisible();
});

test("a fresh browser shows from the address what another shaped", async ({
  page,
  browser,
  baseURL,
}) => {
  await page.goto(PATH);
  await page.getByRole("combobox", { name: "Filter versions" }).fill("version > 20");
  await page.keyboard.press("Enter");
  await page.getByRole("columnheader").getByText("rmse", { exact: true }).click();
  await select(page, 40, 38);
  const pane = await edit(page, "rmse by run name");
  await choose(page, "Visualization type", "Scatter");
  await pane.getByLabel("Title").fill("sent to you 🎁");
  await pane.getByRole("button", { name: "Done" }).click();
  await page.getByRole("separator", { name: "Height of the comparison" }).focus();
  await page.keyboard.press("ArrowUp");
  await page.getByRole("button", { name: "Show row 1 in charts" }).click();
  await expectDrawn(page, "sent to you 🎁", /Scatter chart, 1 point/);
  const other = await browser.newPage({ baseURL: baseURL ?? "" });
  await other.goto(page.url());
  await expectDrawn(other, "sent to you 🎁", /Scatter chart, 1 point/);
  await expect(other.getByText("20 versions")).toBeVisible();
  await expect(other.getByRole("row", { selected: true })).toHaveCount(2);
  await expect(other.getByRole("columnheader", { name: /^rmse/ })).toHaveAttribute(
    "aria-sort",
    "ascending",
  );
  expect(new URL(other.url()).search).toBe(new URL(page.url()).search);
  await other.close();
});

test("a selection opens with charts of metrics that it has logged", async ({ page }) => {
  await page.goto("/w/default/models/forest/list?rows=3");
  await expect(page.getByRole("group", { name: "rmse by run name", exact: true })).toBeVisible();
  const missing = page.getByRole("group", { name: "r2 by run name", exact: true });
  await expect(missing).toHaveCount(0);
  await page.goto("/w/default/models/forest/list?rows=3.4");
  await expect(missing).toHaveCount(1);
});
