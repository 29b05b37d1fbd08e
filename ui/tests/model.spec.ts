/** A model: versions beside their details, labels changed in place, files, code to apply. */
import { expect, expectAccessible, test } from "./page.ts";

const PATH = "/w/default/models/grocery-forecasting";
const JOBS = "/api/v1/workspaces/default";
const API = `${JOBS}/models/grocery-forecasting`;

test("the newest version shows its seven groups", async ({ page }) => {
  await page.goto(PATH);
  const details = page.getByRole("article", { name: "Version 3" });
  await expect(details.getByText("Time created")).toBeVisible();
  await expect(details.getByRole("link", { name: "forest-3" }).first()).toBeVisible();
  await expect(details.getByRole("table", { name: "Hyperparameters" })).toContainText("300");
  await expect(details.getByRole("img", { name: "Curve of rmse" })).toBeVisible();
  const schema = details.getByRole("region", { name: "Schema" });
  for (const text of ["price", "promo", "demand", "horizon"]) {
    await expect(schema.getByText(text, { exact: true })).toBeVisible();
  }
  await expect(details.getByRole("treeitem", { name: /MLmodel/ })).toBeVisible();
  await expect(details.getByRole("region", { name: "Tags" })).toContainText("stores");
  await expectAccessible(page);
  await details.getByRole("button", { name: "rmse" }).click();
  await expect(page.getByRole("dialog").locator("canvas")).toBeVisible();
});

test("versions are searched, chosen and kept in the address", async ({ page }) => {
  await page.goto(PATH);
  await page.getByLabel("Search versions").fill("@champ");
  await page.getByRole("link", { name: "Version 2" }).click();
  await expect(page).toHaveURL(/\/versions\/2\?q=@champ/);
  await page.reload();
  await expect(page.getByRole("article", { name: "Version 2" })).toBeVisible();
  await page.getByLabel("Search versions").fill("");
  await page.getByRole("article").click();
  await page.keyboard.press("j");
  await expect(page.getByRole("article", { name: "Version 1" })).toBeVisible();
});

test("tags, aliases, stage and description are changed in place", async ({ page, request }) => {
  await page.goto(`${PATH}/versions/1`);
  const details = page.getByRole("article", { name: "Version 1" });
  const tags = details.getByRole("region", { name: "Tags" });
  await tags.getByRole("button", { name: "Add tag" }).click();
  await tags.getByLabel("Tag name").fill("reviewed");
  await tags.getByLabel("Tag value").fill("yes 🥕 نعم");
  await tags.getByRole("button", { name: "Save tag" }).click();
  await expect(tags.getByText("yes 🥕 نعم")).toBeVisible();
  await tags.getByRole("button", { name: "Remove tag team" }).click();
  await expect(tags.getByText("stores")).toBeHidden();
  await page.getByText("Undo", { exact: true }).click();
  await expect(tags.getByText("stores")).toBeVisible();
  await details.getByRole("button", { name: "Add alias" }).click();
  await details.getByLabel("Alias", { exact: true }).fill("candidate");
  await page.keyboard.press("Enter");
  await expect(details.getByText("@candidate").first()).toBeVisible();
  await details.getByLabel("Stage").selectOption("Staging");
  await details.getByRole("button", { name: "Add a description" }).click();
  await details.getByRole("textbox", { name: "Description" }).fill("**Best** so far");
  await details.getByRole("button", { name: "Save", exact: true }).click();
  await expect(details.locator("strong", { hasText: "Best" })).toBeVisible();
  const version = (await (await request.get(`${API}/versions/1`)).json()) as Record<
    string,
    unknown
  >;
  expect(version).toMatchObject({
    aliases: ["candidate"],
    stage: "Staging",
    description: "**Best** so far",
    tags: { reviewed: "yes 🥕 نعم", team: "stores" },
  });
  await details.getByRole("tab", { name: "History" }).click();
  await expect(details.getByText("@candidate set")).toBeVisible();
});

test("a tag or alias that is refused is taken back, and the editor keeps what was typed", async ({
  page,
}) => {
  await page.goto(`${PATH}/versions/3`);
  const details = page.getByRole("article", { name: "Version 3" });
  const tags = details.getByRole("region", { name: "Tags" });
  const long = "long ".repeat(20_001);
  await tags.getByRole("button", { name: "Add tag" }).click();
  await tags.getByLabel("Tag name").fill("too");
  await tags.getByLabel("Tag value").fill(long);
  await tags.getByRole("button", { name: "Save tag" }).click();
  await expect(page.getByText("Tag too was not changed", { exact: true })).toBeVisible();
  await expect(
    page.getByText(/^.{0,60}has 100005 characters; at most 100000 are taken/).last(),
  ).toBeVisible();
  await expect(tags.getByText("too", { exact: true })).toBeHidden();
  await expect(tags.getByLabel("Tag value")).toHaveValue(long);
  await tags.getByLabel("Tag value").fill("short");
  await page.keyboard.press("Enter");
  await expect(tags.getByText("short", { exact: true })).toBeVisible();
  await details.getByRole("button", { name: "Add alias" }).click();
  const alias = details.getByLabel("Alias", { exact: true });
  await alias.fill("a".repeat(300));
  await page.keyboard.press("Enter");
  await expect(page.getByText(/has 300 characters; 255 are allowed/).last()).toBeVisible();
  await expect(details.getByRole("button", { name: /^Remove @aaa/ })).toBeHidden();
  await expect(alias).toHaveValue("a".repeat(300));
  await alias.fill("kept");
  await page.keyboard.press("Enter");
  await expect(details.getByRole("button", { name: "Remove @kept" })).toBeVisible();
});

test("files are shown, and none of them runs", async ({ page }) => {
  await page.goto(`${PATH}/versions/3`);
  const files = page.getByRole("region", { name: "Files" });
  const open = (name: RegExp) => files.getByRole("treeitem", { name }).click();
  await open(/MLmodel/);
  await expect(files.getByText("pickled_model")).toBeVisible();
  await expect(page).toHaveURL(/path=MLmodel/);
  await open(/notes\.md/);
  await expect(files.getByRole("heading", { name: "Notes" })).toBeVisible();
  await open(/data\.csv/);
  await expect(files.getByRole("cell", { name: "s7" })).toBeVisible();
  await open(/head\.parquet/);
  await expect(files.getByRole("cell", { name: "Basel" })).toBeVisible();
  await open(/page\.html/);
  await expect(files.getByText("window.hacked = 2")).toBeVisible();
  await open(/evil\.svg/);
  await expect(files.getByText("evil.svg").last()).toBeVisible();
  await open(/plots/);
  await open(/fit\.png/);
  await expect(files.getByText("40 × 30")).toBeVisible();
  await open(/broken\.png/);
  await expect(files.getByText("This image cannot be shown")).toBeVisible();
  expect(await page.evaluate(() => "hacked" in window)).toBe(false);
  const saved = page.waitForEvent("download");
  await files.getByRole("link", { name: "Download all" }).click();
  expect((await saved).suggestedFilename()).toMatch(/\.zip$/);
});

test("code to apply is filled in and copied", async ({ page, baseURL }) => {
  await page.goto(`${PATH}/versions/2`);
  const details = page.getByRole("article", { name: "Version 2" });
  await details.getByRole("button", { name: "Apply this version" }).click();
  await page.getByRole("menuitem", { name: "Copy code to apply" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Refer to it by").selectOption("champion");
  await dialog.getByRole("tab", { name: "SQL" }).click();
  await dialog.getByRole("button", { name: "Copy code to apply" }).click();
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  expect(await copied()).toContain("PREDICT('grocery-forecasting@champion', price, promo)");
  await dialog.getByRole("tab", { name: "MLflow" }).click();
  await dialog.getByRole("button", { name: /Copy code|Copied/ }).click();
  await expect.poll(copied).toContain(`set_tracking_uri("${baseURL ?? ""}")`);
});

test("a new version and another's tag appear without a reload", async ({ page, request }) => {
  await page.goto(`${PATH}/versions/2`);
  await expect(page.getByRole("article", { name: "Version 2" })).toBeVisible();
  const copy = { copy_of: "grocery-forecasting/1" };
  expect((await request.post(`${API}/versions`, { data: copy })).status()).toBe(201);
  await expect(page.getByRole("link", { name: "Version 4" })).toBeVisible();
  await request.patch(`${API}/versions/2/tags`, { data: { set: { live: "seen" } } });
  await expect(page.getByRole("region", { name: "Tags" }).getByText("seen")).toBeVisible();
});

test("a version is registered from a run that is looked for, or from a folder that is typed", async ({
  page,
}) => {
  await page.goto(`${PATH}/versions/2`);
  await page.getByRole("button", { name: "Register version" }).click();
  const dialog = page.getByRole("dialog", { name: "Register a new version" });
  const register = dialog.getByRole("button", { name: "Register" });
  await expect(register).toBeDisabled();
  await dialog.getByLabel("Experiment").selectOption("weekly-study");
  await dialog.getByRole("combobox", { name: "Run" }).fill("forest-1");
  await expect(page.getByRole("listbox").getByRole("option")).toHaveCount(1);
  await page.getByRole("option", { name: /^forest-1/ }).click();
  const part = dialog.getByRole("combobox", { name: "What of it" });
  await expect(part).toHaveValue("model");
  await expectAccessible(page);
  await dialog.getByLabel("Alias").fill("looked-for");
  await register.click();
  await expect(page.getByRole("article", { name: "Version 5" })).toBeVisible();
  await expect(page.getByRole("article").getByText("@looked-for").first()).toBeVisible();
  await expect(page.getByRole("article").getByText("forest-1").first()).toBeVisible();
  await page.getByRole("button", { name: "Register version" }).click();
  await dialog.getByRole("combobox", { name: "Run" }).fill("forest-2");
  await page.getByRole("option", { name: /^forest-2/ }).click();
  await part.fill("model/plots");
  await register.click();
  await expect(page.getByRole("article", { name: "Version 6" })).toBeVisible();
});

test("a version, then the model, are deleted after saying what depends on them", async ({
  page,
  request,
}) => {
  const plan = {
    model: "grocery-forecasting@champion",
    input: { address: "weeks.parquet" },
    output: { address: "scored.parquet", mode: "overwrite" },
  };
  const made = await Promise.all([
    request.post(`${JOBS}/schedules`, { data: { name: "nightly", cron: "0 3 1 1 *", plan } }),
    request.post(`${JOBS}/jobs`, { data: { plan } }),
  ]);
  expect(made.map((answer) => answer.status())).toEqual([201, 201]);
  await page.goto(`${PATH}/versions/2`);
  await page.getByRole("button", { name: "Delete version" }).click();
  await expect(page.getByText(/@champion will point nowhere/)).toBeVisible();
  await expect(page.getByText(/1 schedule will fail: nightly/)).toBeVisible();
  await expect(page.getByText(/1 job of it waiting or running will fail/)).toBeVisible();
  const go = page.getByRole("button", { name: "Delete", exact: true });
  await expect(go).toBeDisabled();
  await page.getByLabel("Type grocery-forecasting/2 to confirm").fill("grocery-forecasting/2");
  await go.click();
  await expect(page.getByRole("link", { name: "Version 2" })).toBeHidden();
  await page.getByRole("button", { name: "Delete model" }).click();
  await page.getByLabel(/to confirm/).fill("grocery-forecasting");
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page).toHaveURL(/\/w\/default$/);
});

test("an empty model teaches how to fill it", async ({ page, request }) => {
  await request.post("/api/v1/workspaces/default/models", { data: { name: "empty one" } });
  await page.goto("/w/default/models/empty%20one");
  await expect(page.getByRole("heading", { name: "No versions yet" })).toBeVisible();
  await page.getByRole("button", { name: "Copy snippet" }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toContain('registered_model_name="empty one"');
  await expectAccessible(page);
  await page.setViewportSize({ width: 360, height: 740 });
  await expect
    .poll(() => page.evaluate(() => document.documentElement.scrollWidth))
    .toBeLessThanOrEqual(360);
});
