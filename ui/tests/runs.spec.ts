/** Experiments and runs: the nested list, curves as they grow, images, saving a model. */
import type { APIRequestContext, Locator, Page } from "@playwright/test";
import { expect, expectAccessible, test } from "./page.ts";

const API = "/api/v1/workspaces/default";
const MLFLOW = "/api/2.0/mlflow";

function gridOf(page: Page): Locator {
  return page.getByRole("grid", { name: "Runs of study" });
}

/** Open the experiment, in the order of start times so that the family comes first. */
async function openStudy(page: Page, words = "sort=start_time"): Promise<void> {
  await page.goto("/w/default?kind=experiment");
  const link = page.getByRole("link", { name: "study", exact: true });
  const address = await link.getAttribute("href");
  await page.goto(`${address ?? ""}?${words}`);
  await expect(gridOf(page)).toBeVisible();
}

async function runNamed(request: APIRequestContext, name: string): Promise<string> {
  const asked = { columns: ["run_name"], filter: `run_name = '${name}'` };
  const found = await request.post(`${API}/runs/search`, { data: asked });
  const { rows } = (await found.json()) as { rows: { key: string }[] };
  return rows[0]?.key ?? "";
}

test("nested runs stand in a tree that survives paging and filtering", async ({ page }) => {
  await openStudy(page);
  const grid = gridOf(page);
  await expect(page.getByText(/^141 runs$/)).toBeVisible();
  await grid.getByRole("button", { name: "Open the runs nested in search" }).click();
  await grid.getByRole("button", { name: "Open the runs nested in trial-2" }).click();
  await expect(grid.getByRole("link", { name: "fold-1" })).toBeVisible();
  await expectAccessible(page);
  // Past the first page and back.
  await grid.focus();
  // The first key shows where one is.
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Control+End");
  await expect(grid.getByRole("link", { name: "trained" })).toBeVisible();
  await page.keyboard.press("Control+Home");
  await expect(grid.getByRole("link", { name: "fold-1" })).toBeVisible();
  await page.reload();
  await expect(grid.getByRole("link", { name: "fold-1" })).toBeVisible();
  // A filter keeps those above what it finds, and says that it does not find them.
  await page.getByRole("combobox", { name: "Filter runs" }).fill("run_name = 'fold-1'");
  await page.keyboard.press("Enter");
  await expect(grid.getByRole("link", { name: "fold-1" })).toBeVisible();
  await expect(grid.getByRole("link", { name: "fold-0" })).toBeHidden();
  await expect(grid.getByRole("link", { name: "search" })).toHaveAttribute(
    "title",
    /the filter does not find it/,
  );
  await page.getByRole("button", { name: "Nested", exact: true }).click();
  await expect(grid.getByRole("row")).toHaveCount(2);
});

test("runs are compared, deleted and restored", async ({ page }) => {
  await openStudy(
    page,
    `sort=start_time&filter=${encodeURIComponent("run_name LIKE 'trial%'")}&nested=0`,
  );
  const ticks = gridOf(page).getByRole("checkbox");
  await ticks.nth(0).click();
  await ticks.nth(3).click({ modifiers: ["Shift"] });
  await expect(
    page.getByRole("group", { name: "loss by run name" }).getByRole("img"),
  ).toHaveAccessibleName(/4 bars/);
  await page.getByRole("tab", { name: "Differences" }).click();
  await expect(page.getByRole("table", { name: "Differences" })).toContainText("lr");
  await page.getByRole("button", { name: "Delete 4 runs" }).click();
  await expect(page.getByText("2 runs", { exact: true })).toBeVisible();
  await page.getByText("Undo", { exact: true }).click();
  await expect(page.getByText("6 runs", { exact: true })).toBeVisible();
});

test("a run draws its curves while it logs, without a reload", async ({ page, request }) => {
  const made = await request.post(`${MLFLOW}/runs/create`, {
    data: { experiment_id: "0", run_name: "live" },
  });
  const { run } = (await made.json()) as { run: { info: { run_id: string } } };
  const id = run.info.run_id;
  const log = async (from: number, to: number) => {
    const metrics = Array.from({ length: to - from }, (_, n) => ({
      key: "loss",
      value: 1 / (1 + from + n),
      timestamp: 1000 * (from + n),
      step: from + n,
    }));
    const sent = await request.post(`${MLFLOW}/runs/log-batch`, { data: { run_id: id, metrics } });
    expect(sent.status()).toBe(200);
  };
  await page.goto(`/w/default/runs/${id}?tab=metrics`);
  await expect(page.getByRole("heading", { name: "No metrics yet" })).toBeVisible();
  await log(0, 5);
  const drawn = page.getByRole("img", { name: /^loss\. Line chart, 1 line/ });
  await expect(drawn).toBeVisible();
  await expect(page.getByTitle("0.2", { exact: true })).toBeVisible();
  await log(5, 50);
  await expect(page.getByTitle("0.02", { exact: true })).toBeVisible();
  await request.post(`${MLFLOW}/runs/update`, { data: { run_id: id, status: "FINISHED" } });
  await expect(page.getByText("Finished")).toBeVisible();
  await page.getByRole("switch", { name: "Logarithmic" }).click();
  await page.getByRole("combobox", { name: "X axis" }).selectOption("relative");
  await expect(page).toHaveURL(/x=relative/);
  await page.reload();
  await expect(page.getByRole("switch", { name: "Logarithmic" })).toBeChecked();
  await expectAccessible(page);
});

test("a run says what it made; its labels are changed in place", async ({ page, request }) => {
  const id = await runNamed(request, "trained");
  await page.goto(`/w/default/runs/${id}`);
  await expect(page.getByRole("region", { name: "Hyperparameters" })).toContainText("depth");
  await expect(page.getByRole("region", { name: "Data sets" })).toContainText("examples");
  const tags = page.getByRole("region", { name: "Tags" });
  await tags.getByRole("button", { name: "Change tag team" }).click();
  await tags.getByLabel("Tag value").fill("web");
  await page.keyboard.press("Enter");
  await expect(tags.getByText("web")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("tab", { name: "Files" }).click();
  await expect(page.getByRole("treeitem", { name: /images/ })).toBeVisible();
  await page.goBack();
  await expect(tags).toBeVisible();
});

test("images at steps share one slider", async ({ page, request }) => {
  const id = await runNamed(request, "trained");
  await page.goto(`/w/default/runs/${id}?tab=images`);
  for (const key of ["input", "mask"])
    await expect(page.getByRole("img", { name: `${key} at step 20` })).toBeVisible();
  await page.getByRole("slider", { name: "Step" }).focus();
  await page.keyboard.press("ArrowLeft");
  for (const key of ["input", "mask"])
    await expect(page.getByRole("img", { name: `${key} at step 10` })).toBeVisible();
  await expect(page).toHaveURL(/step=10/);
  await expectAccessible(page);
  await page.getByRole("button", { name: "Enlarge mask at step 10" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Next step" }).click();
  await expect(dialog.getByRole("img", { name: "mask at step 20" })).toBeVisible();
  // A run without any says so; that there is no such folder is no failure.
  await page.goto(`/w/default/runs/${await runNamed(request, "trial-2")}?tab=images`);
  await expect(page.getByRole("heading", { name: "No images" })).toBeVisible();
});

test("a run is saved as a new model, then as a version of an existing one", async ({
  page,
  request,
}) => {
  const id = await runNamed(request, "trained");
  for (const version of [1, 2]) {
    await page.goto(`/w/default/runs/${id}`);
    await page.getByRole("button", { name: "Save as ML model" }).click();
    const dialog = page.getByRole("dialog", { name: "Save as ML model" });
    const name = dialog.getByRole("combobox", { name: "Model", exact: true });
    await name.fill("a/b");
    await expect(dialog.getByText("A name cannot hold / or :")).toBeVisible();
    await name.fill("saved here");
    const says = version === 1 ? "Makes this model" : "Adds a version after version 1";
    await expect(dialog.getByText(says)).toBeVisible();
    await dialog.getByLabel("Description").click();
    // What it points at is gone before what points there is told.
    await expect(name).toHaveAttribute("aria-expanded", "false");
    await expect(name).not.toHaveAttribute("aria-activedescendant", /./);
    await dialog.getByRole("button", { name: "Add tag" }).click();
    await dialog.getByLabel("Name of tag 1").fill("team");
    await dialog.getByLabel("Value of tag 1").fill("stores 🥕");
    await expectAccessible(page);
    await dialog.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByRole("link", { name: "Open the version" }).click();
    const article = page.getByRole("article", { name: `Version ${version}` });
    await expect(article.getByRole("region", { name: "Tags" })).toContainText("stores 🥕");
    await expect(article.getByRole("link", { name: "trained" }).first()).toBeVisible();
  }
});

test("a logged model has a page of its own", async ({ page, request }) => {
  const id = await runNamed(request, "trained");
  await page.goto(`/w/default/runs/${id}`);
  await page.getByRole("region", { name: "Models" }).getByRole("link").first().click();
  await expect(page).toHaveURL(/\/logged-models\//);
  await expect(page.getByRole("region", { name: "Signature" }).first()).toContainText("seven");
  await expect(page.getByRole("region", { name: "Files" })).toContainText("MLmodel");
  await expectAccessible(page);
});

test("all runs of the workspace stand in one list", async ({ page }) => {
  await page.goto("/w/default/runs");
  await expect(page.getByRole("link", { name: "trained" })).toBeVisible();
  await expectAccessible(page);
});
