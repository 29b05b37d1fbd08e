/** The shell, home, workspaces, items, on a server that holds nothing yet. */
import { type ChildProcess, spawn } from "node:child_process";
import { expect, expectAccessible, test } from "./page.ts";

/** How the server that specs are given was started, and under which number it runs. */
const SERVER = JSON.parse(process.env["HEDDLE_SERVER"] ?? "{}") as {
  pid?: number;
  command?: [string, ...string[]];
};

test("home teaches how to log a run at this address", async ({ page, baseURL }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Welcome to Heddle" })).toBeVisible();
  await page.getByRole("button", { name: "Copy snippet" }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toContain(`mlflow.set_tracking_uri("${baseURL ?? ""}")`);
  await expectAccessible(page);
});

test("a link that a client printed leads to its experiment", async ({ page }) => {
  await page.goto("/#/experiments/0");
  await expect(page).toHaveURL(/\/w\/default\/experiments\/0$/);
  await expect(page.getByRole("heading", { name: "Default" })).toBeVisible();
});

test("an address that leads nowhere says so and leads back", async ({ page }) => {
  const answer = await page.goto("/models/nobody");
  expect(answer?.status()).toBe(404);
  await expect(page.getByText("There is nothing at this address")).toBeVisible();
  await page.getByRole("link", { name: "Go to Home" }).click();
  await expect(page).toHaveURL(/\/$/);
});

test.describe("a page that cannot be fetched whole", () => {
  test.use({ expected: /ERR_FAILED/ });
  test("says so and can be loaded again", async ({ page }) => {
    await page.route("**/assets/start-*.js", (route) => route.abort());
    await page.goto("/");
    await expect(page.getByRole("alert")).toContainText("could not be fetched whole");
    await page.unroute("**/assets/start-*.js");
    await page.getByRole("button", { name: "Load again" }).click();
    await expect(page.getByRole("heading", { name: "Welcome to Heddle" })).toBeVisible();
  });
});

test("a workspace is made, renamed, opened and deleted", async ({ page }) => {
  await page.goto("/workspaces");
  await page.getByRole("button", { name: "New workspace" }).click();
  await page.getByLabel("Name").fill("Team A");
  await expect(page.getByText("Only a-z, 0-9 and hyphens.")).toBeVisible();
  await page.getByLabel("Name").fill("team-a");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await expect(page.getByRole("link", { name: "team-a" })).toBeVisible();
  await page.getByRole("button", { name: "Change team-a" }).click();
  await page.getByLabel("Name").fill("team-b");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("link", { name: "team-b" }).click();
  await expect(page).toHaveURL(/\/w\/team-b$/);
  await expect(page.getByRole("heading", { name: "This workspace is empty" })).toBeVisible();
  await page.goto("/workspaces");
  await expectAccessible(page);
  await page.getByRole("button", { name: "Delete team-b" }).click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await expect(page.getByRole("link", { name: "team-b" })).toBeHidden();
});

test("a model is made from the gallery, its name checked as it is typed", async ({ page }) => {
  await page.goto("/w/default");
  await page.getByRole("button", { name: "New item" }).click();
  await expect(page.getByRole("heading", { name: "Analyze and train data" })).toBeVisible();
  await page.getByRole("button", { name: "ML Model" }).click();
  const name = page.getByLabel("Name");
  await name.fill("a/b");
  await expect(page.getByText("A model's name holds no / and no :.")).toBeVisible();
  await name.fill("grocery forecasting 🥕");
  await page.getByLabel("Description").fill("*Weekly* demand");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await expect(page).toHaveURL(/\/w\/default\/models\//);
  await page.goto("/w/default");
  await page.getByRole("button", { name: "New item" }).click();
  await page.getByRole("button", { name: "ML Model" }).click();
  await name.fill("grocery forecasting 🥕");
  await expect(page.getByText("There is a model of this name already.")).toBeVisible();
});

test("Create offers the same under Data Science", async ({ page }) => {
  await page.goto("/");
  await page.getByRole("link", { name: "Create" }).click();
  await expect(page.getByRole("heading", { name: "Data Science" })).toBeVisible();
  await page.getByRole("button", { name: "Experiment" }).click();
  await page.getByLabel("Name").fill("weekly-study");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await expect(page).toHaveURL(/\/w\/default\/experiments\//);
});

test("items are searched, and the address restores the search", async ({ page, request }) => {
  for (const name of ["alpha", "beta", "alphabet"]) {
    await request.post("/api/v1/workspaces/default/models", { data: { name } });
  }
  await page.goto("/w/default");
  await expect(page.getByRole("link", { name: "alphabet" })).toBeVisible();
  await page.keyboard.press("/");
  await page.keyboard.type("alpha");
  await expect(page.getByRole("status").filter({ hasText: "2 items" })).toBeVisible();
  await page.getByRole("tab", { name: "ML models" }).click();
  await page.getByRole("button", { name: "Name" }).click();
  await expect(page).toHaveURL(/q=alpha&kind=model&sort=name/);
  await page.reload();
  await expect(page.getByRole("row").nth(1)).toContainText("alpha");
  await expect(page.getByRole("row").nth(2)).toContainText("alphabet");
  await expect(page.getByLabel("Search items")).toHaveValue("alpha");
  await expectAccessible(page);
});

test("Ctrl+K finds a model and runs a command", async ({ page, request }) => {
  await request.post("/api/v1/workspaces/default/models", { data: { name: "found-me" } });
  await page.goto("/w/default");
  await expect(page.getByRole("button", { name: "New item" })).toBeVisible();
  await page.keyboard.press("Control+k");
  // An answer for the first letter is there, and those for more of them are late.
  await page.keyboard.type("n");
  await expect(page.getByRole("option", { name: /found-me/ })).toBeVisible();
  await page.route("**/find?**", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await route.continue();
  });
  await page.keyboard.type("it");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: /New item in/ })).toBeVisible();
  await page.unrouteAll({ behavior: "wait" });
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("found-m");
  await expect(page.getByRole("option", { name: /found-me/ })).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/models\/found-me$/);
});

test("shortcuts are listed, themes switch", async ({ page }) => {
  await page.goto("/w/default");
  await expect(page.getByRole("button", { name: "New item" })).toBeVisible();
  await page.keyboard.press("?");
  await expect(page.getByText("Find anything, run a command")).toBeVisible();
  await page.keyboard.press("Escape");
  const background = () =>
    page.getByRole("main").evaluate((element) => getComputedStyle(element).backgroundColor);
  const before = await background();
  await page.getByRole("button", { name: "Dark theme" }).click();
  await expect.poll(background).not.toBe(before);
  await page.reload();
  await expect(page.getByRole("button", { name: "Light theme" })).toBeVisible();
});

test("another browser's new item appears without a reload", async ({ page, request }) => {
  await page.goto("/w/default");
  await expect(page.getByRole("button", { name: "New item" })).toBeVisible();
  await request.post("/api/v1/workspaces/default/models", { data: { name: "from-elsewhere" } });
  await expect(page.getByRole("link", { name: "from-elsewhere" })).toBeVisible();
});

test("everything is there at 360 px", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.goto("/w/default");
  await expect(page.getByRole("navigation", { name: "Main" })).toBeVisible();
  await expect(page.getByRole("table")).toBeVisible();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width).toBeLessThanOrEqual(360);
  await expectAccessible(page);
});

test("a server that stops is said, what was typed is kept, and can be sent once it is back", async ({
  page,
  request,
}) => {
  const { pid, command } = SERVER;
  if (pid === undefined || command === undefined) throw new Error("HEDDLE_SERVER is not set");
  const [program, ...given] = command;
  await request.post("/api/v1/workspaces/default/models", { data: { name: "kept" } });
  await page.goto("/w/default/models/kept");
  await page.getByRole("button", { name: "Add a description" }).click();
  const text = page.getByRole("textbox", { name: "Description" });
  await text.fill("Typed before");
  let again: ChildProcess | undefined;
  process.kill(pid);
  try {
    await expect(page.getByText("The server does not answer. Trying again")).toBeVisible();
    await text.fill("Typed before, and while it was away");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect(page.getByText("The description was not saved", { exact: true })).toBeVisible();
    await expect(text).toHaveValue("Typed before, and while it was away");
    again = spawn(program, given, { stdio: "ignore" });
    await expect(page.getByText("The server does not answer. Trying again")).toBeHidden();
    await expect(text).toHaveValue("Typed before, and while it was away");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await expect(page.getByRole("region", { name: "Description" })).toHaveText(
      "Typed before, and while it was away",
    );
    await page.reload();
    await expect(page.getByText("Typed before, and while it was away")).toBeVisible();
  } finally {
    again?.kill();
  }
});
