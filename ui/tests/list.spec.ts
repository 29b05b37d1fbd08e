/** The model list view: columns, orders, filter, selection, views, and the address that keeps them. */
import type { Locator, Page } from "@playwright/test";
import { expect, expectAccessible, chooseContrast, expectReadable, test } from "./page.ts";

const PATH = "/w/default/models/forest/list";
const API = "/api/v1/workspaces/default";

function gridOf(page: Page): Locator {
  return page.getByRole("grid", { name: "Versions of forest" });
}

/** The version numbers that the first rows show, from above. */
function shown(page: Page, count: number): Promise<string[]> {
  return gridOf(page)
    .getByRole("link", { name: /^Version \d+$/ })
    .evaluateAll(
      (links, most) =>
        links
          .map((link) => [link.getBoundingClientRect().top, link.textContent] as const)
          .sort((a, b) => a[0] - b[0])
          .slice(0, most)
          .map((pair) => pair[1].replace("Version ", "")),
      count,
    );
}

function header(page: Page, name: string): Locator {
  return gridOf(page).getByRole("columnheader").getByText(name, { exact: true });
}

async function heads(page: Page): Promise<string[]> {
  const texts = await gridOf(page).getByRole("columnheader").allInnerTexts();
  return texts.map((text) => text.trim().split("\n")[0] ?? "").filter((text) => text !== "");
}

async function filterBy(page: Page, text: string): Promise<void> {
  await page.getByRole("combobox", { name: "Filter versions" }).fill(text);
  await page.keyboard.press("Enter");
}

test("the list opens from the model's View tab and from its versions", async ({ page }) => {
  await page.goto("/w/default/models/forest");
  await page.getByRole("link", { name: "View model list" }).click();
  await expect(gridOf(page)).toBeVisible();
  await page.goBack();
  await page.getByRole("tab", { name: "View" }).click();
  await page.getByRole("button", { name: "Model list" }).click();
  await expect(page).toHaveURL(/\/models\/forest\/list$/);
  await expect.poll(() => shown(page, 3)).toEqual(["40", "39", "38"]);
  await expectAccessible(page);
});

test("a link to a comparison asks everything once", async ({ page }) => {
  const asked: string[] = [];
  let tellOpen: () => void = () => undefined;
  const isOpen = new Promise<void>((resolve) => (tellOpen = resolve));
  await page.exposeFunction("tellOpen", () => tellOpen());
  await page.addInitScript(() => {
    window.EventSource = class extends EventSource {
      constructor(url: string | URL) {
        super(url);
        this.addEventListener("open", () => (window as unknown as { tellOpen(): void }).tellOpen());
      }
    };
  });
  // What is answered before the stream of changes stands is asked again, and rightly so.
  await page.route(/\/api\/v1\/(?!.*\/events)/, async (route) => {
    const request = route.request();
    asked.push(`${request.method()} ${request.url()} ${request.postData() ?? ""}`);
    await isOpen;
    await route.continue();
  });
  await page.goto(`${PATH}?rows=38-40&share=0.5`);
  await expect(page.locator("canvas").first()).toBeVisible();
  await page.waitForLoadState("load");
  await expect.poll(() => asked.some((each) => each.includes("/columns"))).toBe(true);
  expect(asked.filter((each, at) => asked.indexOf(each) !== at)).toEqual([]);
});

test("rows are sorted by several columns, numbers among params as numbers", async ({ page }) => {
  await page.goto(PATH);
  await header(page, "n_estimators").click();
  await expect.poll(() => shown(page, 3)).toEqual(["1", "2", "3"]);
  await header(page, "max_depth").click();
  await header(page, "n_estimators").click({ modifiers: ["Shift"] });
  await header(page, "n_estimators").click({ modifiers: ["Shift"] });
  await expect.poll(() => shown(page, 3)).toEqual(["40", "36", "32"]);
  await page.reload();
  await expect.poll(() => shown(page, 3)).toEqual(["40", "36", "32"]);
  await page.goBack();
  await expect.poll(() => shown(page, 3)).toEqual(["4", "8", "12"]);
});

test("another summary of a metric is shown and sorted by", async ({ page }) => {
  await page.goto(PATH);
  await gridOf(page).getByRole("button", { name: "Options of rmse" }).click();
  await expect(page.getByRole("menuitemradio", { name: "Lowest (best)" })).toBeVisible();
  await page.getByRole("menuitemradio", { name: "Highest" }).click();
  await header(page, "rmse (highest)").click();
  await header(page, "rmse (highest)").click();
  await expect.poll(() => shown(page, 2)).toEqual(["1", "2"]);
});

test("a filter is completed from the real keys and values", async ({ page }) => {
  await page.goto(PATH);
  await expect(page.getByText("40 versions")).toBeVisible();
  await page.keyboard.press("/");
  const field = page.getByRole("combobox", { name: "Filter versions" });
  await expect(field).toBeFocused();
  await page.keyboard.type("tea");
  const offers = page.getByRole("listbox", { name: "Completions" });
  await expect(offers.getByRole("option").first()).toContainText("tags.team");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(offers.getByRole("option", { name: /^ILIKE/ })).toBeVisible();
  await page.keyboard.type("= ");
  await expect(offers.getByRole("option", { name: "مبيعات 🥕" })).toBeVisible();
  await page.keyboard.type("'Ver");
  await expect(offers.getByRole("option")).toHaveText(["Vertrieb Süd"]);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(field).toHaveValue(/'Vertrieb Süd'/);
  await page.keyboard.press("Enter");
  await expect(page.getByText("10 versions")).toBeVisible();
  await filterBy(page, "metrics.rmse < 2.78 OR params.n_estimators BETWEEN 390 AND 400");
  await expect(page.getByText("1 version", { exact: true })).toBeVisible();
  await expect(page).toHaveURL(/filter=/);
  await page.goBack();
  await expect(page.getByText("10 versions")).toBeVisible();
  await page.getByRole("button", { name: /^Remove .*Vertrieb/ }).click();
  await expect(page.getByText("40 versions")).toBeVisible();
});

test("the whole grammar is understood, and an error points at its character", async ({ page }) => {
  await page.goto(PATH);
  for (const [filter, count] of [
    ["(tags.team = 'web' OR tags.team ILIKE 'VERTRIEB%') AND NOT params.max_depth IN ('4')", 10],
    ["metrics.r2 IS NULL", 13],
    ["metrics.`loss.train` BETWEEN 0 AND 0.06 AND version >= 2", 3],
    ["run_name MATCHES '^forest-[01]' AND NOT aliases = 'champion'", 18],
  ] as const) {
    await page.goto(PATH);
    await filterBy(page, filter);
    await expect(page.getByText(`${count} versions`)).toBeVisible();
  }
  await page.goto(PATH);
  await filterBy(page, "metrics.rmse < 5 ANDD x");
  const fault = page.getByRole("alert").locator("pre");
  const [text = "", mark = ""] = (await fault.innerText()).split("\n");
  expect(text.charAt(mark.indexOf("^"))).toBe("A");
  expect(mark.indexOf("^")).toBe("metrics.rmse < 5 ".length);
  await expect(page.getByText("40 versions")).toBeVisible();
  // What only the server knows to be wrong.
  await page.goto(`${PATH}?filter=${encodeURIComponent("version > 1 AND version LIKE 'a'")}`);
  await expect(page.getByRole("alert").locator("pre")).toContainText("^");
});

test("columns are searched, shown, ordered by keys and by dragging, and stay", async ({ page }) => {
  await page.goto(PATH);
  await page.getByRole("button", { name: "Customize columns" }).click();
  const pane = page.getByRole("dialog", { name: "Customize columns" });
  await pane.getByRole("tab", { name: /^Properties/ }).click();
  await pane.getByLabel("Search columns").fill("run_id");
  await pane.getByRole("checkbox", { name: "Run id" }).check();
  await pane.getByRole("tab", { name: /^Params/ }).click();
  await pane.getByRole("checkbox", { name: "booster" }).uncheck();
  await pane.getByRole("tab", { name: /^Shown/ }).click();
  await expectAccessible(page);
  const order = pane.getByRole("list", { name: "Columns in their order" });
  await order.getByRole("listitem", { name: /^rmse,/ }).focus();
  await page.keyboard.press("Alt+ArrowUp");
  await page.keyboard.press("Alt+ArrowUp");
  await expect(order.getByRole("listitem", { name: /^rmse,/ })).toBeFocused();
  await order
    .getByRole("listitem", { name: /^Run id,/ })
    .dragTo(order.getByRole("listitem", { name: /^Time created,/ }));
  await expect(order.getByRole("listitem", { name: /^Run id, 2 of/ })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(pane).toBeHidden();
  await expect.poll(async () => (await heads(page)).slice(0, 2)).toEqual(["Version", "Run id"]);
  const wanted = await heads(page);
  expect(wanted).not.toContain("booster");
  // In the address, and in this browser for the plain address too.
  await page.reload();
  await expect.poll(() => heads(page)).toEqual(wanted);
  await page.goto("/");
  await page.goto(PATH);
  await expect.poll(() => heads(page)).toEqual(wanted);
});

test("in high contrast what is pointed at, chosen or pressed can be read", async ({ page }) => {
  await chooseContrast(page);
  await page.goto(PATH);
  await expect(page.locator("main")).toHaveCSS("background-color", "rgb(0, 0, 0)");
  const row = gridOf(page).getByRole("row").filter({ hasText: "Version 39" });
  await row.hover();
  await expectReadable(page);
  await row.getByRole("checkbox").click();
  await row.hover();
  await expectReadable(page);
  await page.getByRole("button", { name: "Views" }).hover();
  await page.mouse.down();
  await expectReadable(page);
  await page.mouse.up();
  await page.getByRole("menuitem").first().hover();
  await expectReadable(page);
  await page.goto("/w/default/models/forest");
  await page.getByRole("link", { name: "Version 39" }).hover();
  await expectReadable(page);
});

test("columns that are the same in all rows are hidden when asked", async ({ page }) => {
  await page.goto(PATH);
  await expect.poll(() => heads(page)).toContain("booster");
  await page.getByRole("button", { name: "Customize columns" }).click();
  await page.getByRole("switch", { name: "Hide columns with one value only" }).click();
  await page.keyboard.press("Escape");
  await expect.poll(() => heads(page)).not.toContain("booster");
  await expect.poll(() => heads(page)).toContain("max_depth");
});

test("ranges are selected, and a selection survives filter and order", async ({ page }) => {
  await page.goto(PATH);
  const tick = (version: number) =>
    gridOf(page)
      .getByRole("row")
      .filter({ has: page.getByRole("link", { name: `Version ${version}`, exact: true }) })
      .getByRole("checkbox");
  await tick(38).click();
  await tick(35).click({ modifiers: ["Shift"] });
  const comparison = page.getByRole("tablist", { name: "Comparison" });
  await expect(comparison).toBeVisible();
  for (const version of [38, 37, 36, 35]) await expect(tick(version)).toBeChecked();
  await expect(tick(39)).not.toBeChecked();
  await filterBy(page, "version <= 36");
  await expect(page.getByText("36 versions")).toBeVisible();
  await expect(page.getByText("4 versions", { exact: true })).toBeVisible();
  await header(page, "n_estimators").click();
  await expect.poll(() => shown(page, 1)).toEqual(["1"]);
  await tick(2).click();
  await expect(page.getByText("5 versions", { exact: true })).toBeVisible();
  await page.reload();
  await expect(page.getByText("5 versions", { exact: true })).toBeVisible();
});

test("rows are reached, selected, copied and opened by keys", async ({ page }) => {
  await page.goto(PATH);
  await expect.poll(() => shown(page, 1)).toEqual(["40"]);
  await page.keyboard.press("j");
  await expect(gridOf(page)).toBeFocused();
  for (const key of ["j", "j", "x", "j", "j", "Shift+X"]) await page.keyboard.press(key);
  await expect(page.getByText("3 versions", { exact: true })).toBeVisible();
  await expect(gridOf(page)).toBeFocused();
  await page.keyboard.press("Control+c");
  await expect(page.getByText("Copied as CSV", { exact: true })).toBeVisible();
  const csv = await page.evaluate(() => navigator.clipboard.readText());
  expect(csv.split("\n").filter((line) => line.trim() !== "")).toHaveLength(4);
  expect(csv).toContain("metrics.rmse");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/models\/forest\/versions\/37/);
});

test("views are saved for oneself and for everyone, and keep everything", async ({ page }) => {
  await page.goto(PATH);
  await filterBy(page, "params.max_depth = 6");
  await header(page, "rmse").click();
  const saved = new URL(page.url()).search;
  for (const name of ["deep 🌲", "deep for all"]) {
    await page.getByRole("button", { name: "Views" }).click();
    await page.getByRole("menuitem", { name: "Save this view" }).click();
    await page.getByRole("textbox", { name: "Name" }).fill(name);
    if (name === "deep for all")
      await page.getByRole("checkbox", { name: /Show it to everyone/ }).check();
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect(page.getByText(`Saved the view ${name}`, { exact: true })).toBeVisible();
  }
  await page.goto(PATH);
  await page.getByRole("button", { name: "Views" }).click();
  await expect(page.getByRole("group", { name: "Mine" })).toContainText("deep 🌲");
  await page.getByRole("group", { name: "Shared" }).getByText("deep for all").click();
  await page.getByRole("menuitem", { name: "Show", exact: true }).click();
  await expect.poll(() => new URL(page.url()).search).toBe(saved);
  await page.getByRole("button", { name: "Views" }).click();
  await page.getByRole("menuitem", { name: "deep for all" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await page.getByText("Undo", { exact: true }).click();
  await page.getByRole("button", { name: "Views" }).click();
  await expect(page.getByRole("menuitem", { name: "deep for all" })).toBeVisible();
});

test("what is found is saved as CSV", async ({ page }) => {
  await page.goto(`${PATH}?filter=${encodeURIComponent("tags.team = 'web'")}`);
  await page.getByRole("button", { name: "Export" }).click();
  const saved = page.waitForEvent("download");
  await page.getByRole("menuitem", { name: "Save all found as CSV" }).click();
  expect((await saved).suggestedFilename()).toBe("Versions-of-forest.csv");
});

test("another's version and tag appear in the list", async ({
  page,
  request,
  browser,
  baseURL,
}) => {
  await page.goto(PATH);
  await expect(page.getByText("40 versions")).toBeVisible();
  const other = await browser.newPage({ baseURL: baseURL ?? "" });
  await other.goto("/w/default/models/forest/versions/40");
  const tags = other.getByRole("region", { name: "Tags" });
  await tags.getByRole("button", { name: "Change tag team" }).click();
  await tags.getByLabel("Tag value").fill("seen by both");
  await other.keyboard.press("Enter");
  await expect(gridOf(page).getByText("seen by both")).toBeVisible();
  const copy = { copy_of: "forest/1" };
  const made = await request.post(`${API}/models/forest/versions`, { data: copy });
  expect(made.status()).toBe(201);
  await expect.poll(() => shown(page, 1)).toEqual(["41"]);
  await other.close();
});

/** Press a key, Tab if none is named, until something is focused. */
async function tabTo(page: Page, wanted: Locator, key = "Tab"): Promise<void> {
  await expect(wanted).toBeVisible();
  for (let pressed = 0; pressed < 90; pressed += 1) {
    await page.keyboard.press(key);
    if (await wanted.evaluate((element) => element === document.activeElement)) return;
  }
  await expect(wanted).toBeFocused();
}

test("a model is made, tagged, listed, compared, charted and its view saved by keys alone", async ({
  page,
}) => {
  const press = async (...keys: readonly string[]) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await page.goto("/w/default");
  await expect(page.getByRole("button", { name: "New item" })).toBeVisible();
  await press("n");
  await tabTo(page, page.getByRole("dialog").getByRole("button", { name: "ML Model" }));
  await press("Enter");
  await expect(page.getByRole("textbox", { name: "Name" })).toBeFocused();
  await page.keyboard.type("by keys");
  await press("Enter");
  await expect(page).toHaveURL(/\/models\/by%20keys$/);
  await tabTo(page, page.locator("summary", { hasText: "Tags of this model" }));
  await press("Enter");
  await tabTo(page, page.getByRole("button", { name: "Add tag" }));
  await press("Enter");
  await page.keyboard.type("team");
  await press("Tab");
  await page.keyboard.type("stores");
  await press("Enter");
  await expect(page.getByText("stores", { exact: true })).toBeVisible();
  await press("Control+k");
  await page.keyboard.type("forest");
  await expect(page.getByRole("option", { name: /^forest/ }).first()).toBeVisible();
  await press("Enter");
  await tabTo(page, page.getByRole("link", { name: "View model list" }));
  await press("Enter");
  await expect(gridOf(page).getByRole("link", { name: "Version 40" })).toBeVisible();
  await press("j");
  await expect(gridOf(page)).toBeFocused();
  await press("j", "x", "j", "x");
  await expect(page.getByText("2 versions", { exact: true })).toBeVisible();
  await press("c");
  await tabTo(page, page.getByRole("button", { name: "Edit rmse by run name" }));
  await press("Enter");
  const pane = page.getByRole("dialog", { name: /^Edit / });
  await expect(pane).toBeVisible();
  await expect
    .poll(() => pane.evaluate((element) => element.contains(document.activeElement)))
    .toBe(true);
  await tabTo(page, pane.getByRole("textbox", { name: "Title" }));
  await page.keyboard.type("shaped by keys");
  await tabTo(page, pane.getByRole("combobox", { name: "Visualization type" }));
  await press("Enter", "l");
  await expect(page.getByRole("option", { name: "Line" })).toBeVisible();
  await press("Enter");
  await tabTo(page, pane.getByRole("button", { name: "Done" }));
  await press("Enter");
  await expect(page.getByRole("img", { name: /^shaped by keys/ })).toHaveAccessibleName(/Line/);
  await tabTo(page, page.getByRole("button", { name: "Views" }));
  await press("Enter");
  await tabTo(page, page.getByRole("menuitem", { name: "Save this view" }), "ArrowDown");
  await press("Enter");
  await expect(page.getByRole("textbox", { name: "Name" })).toBeFocused();
  await page.keyboard.type("by keys");
  await press("Enter");
  await expect(page.getByText("Saved the view by keys", { exact: true })).toBeVisible();
});
