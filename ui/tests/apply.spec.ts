/** Applying a version to tables: jobs of a real worker, watched while they work. */
import type { APIRequestContext } from "@playwright/test";
import { expect, expectAccessible, test } from "./page.ts";

const API = "/api/v1/workspaces/default";
const VERSION = "/w/default/models/demand/versions/1";

async function submit(request: APIRequestContext, input: string, output: object) {
  const plan = {
    model: "demand/1",
    input: { address: input },
    output,
    processes: 1,
    batch_rows: 100,
  };
  const answer = await request.post(`${API}/jobs`, { data: { plan } });
  expect(answer.status()).toBe(201);
  return ((await answer.json()) as { id: string }).id;
}

test("Monitor shows a job from submission to its end without a reload", async ({
  page,
  request,
}) => {
  await page.goto("/");
  await page.getByRole("link", { name: "Monitor" }).click();
  await expect(page.getByRole("heading", { name: "No jobs yet" })).toBeVisible();
  await expectAccessible(page);
  const id = await submit(request, "stores/weeks.parquet", { address: "scored.parquet" });
  const row = page.getByRole("row").filter({ hasText: `Job ${id}` });
  await expect(row.getByText("Running")).toBeVisible({ timeout: 20_000 });
  await expect(row.getByRole("progressbar")).toBeVisible();
  await expect(row.getByText("Done")).toBeVisible({ timeout: 20_000 });
  await expect(row.getByText("3,000 rows")).toBeVisible();
  await expectAccessible(page);
  await row.getByRole("link", { name: `Job ${id}` }).click();
  const job = page.getByRole("article", { name: `Job ${id}` });
  await expect(
    job.getByRole("img", { name: /^Histogram of (?:demand|predictions)/ }),
  ).toBeVisible();
  await expect(job.getByRole("region", { name: "Receipt" }).first()).toContainText("3,000");
  await expect(job.getByRole("region", { name: "Drift of inputs" })).toContainText("price");
  await job.getByRole("button", { name: "Open as a table" }).click();
  await expect(job.getByRole("region", { name: "Result" }).getByRole("table")).toBeVisible({
    timeout: 15_000,
  });
  await expect(page).toHaveURL(/result=1/);
  await expectAccessible(page);
});

test("a job that fails says why, and is done again; one that waits is cancelled", async ({
  page,
  request,
}) => {
  const id = await submit(request, "broken.parquet", { address: "x.parquet" });
  await page.goto(`/w/default/jobs/${id}`);
  await expect(page.getByText("The job failed.")).toBeVisible({ timeout: 20_000 });
  await expect(page.getByText(/broken\.parquet/).first()).toBeVisible();
  await page.getByRole("button", { name: "Retry" }).click();
  await expect(page.getByRole("article").getByText(/Waiting|Starting|Running/)).toBeVisible();
  await expect(page.getByText("The job failed.")).toBeVisible({ timeout: 20_000 });
  await page.goto("/w/default/jobs?state=failed");
  await expect(page.getByRole("status").getByText("1 job")).toBeVisible();
  const next = await submit(request, "stores/weeks.parquet", { address: "y.parquet" });
  await page.goto(`/w/default/jobs/${next}`);
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("article").getByText("Cancelled")).toBeVisible({ timeout: 20_000 });
});

test("a schedule stands on Monitor, and deleting it can be undone", async ({ page, request }) => {
  const plan = {
    model: "demand/1",
    input: { address: "few.csv" },
    output: { address: "nightly.parquet", mode: "overwrite" },
  };
  const made = await request.post(`${API}/schedules`, {
    data: { name: "nightly", cron: "0 3 * * *", timezone: "Europe/Zurich", plan },
  });
  expect(made.status()).toBe(201);
  await page.goto("/w/default/jobs");
  await page.getByRole("tab", { name: "Schedules" }).click();
  await expect(page).toHaveURL(/tab=schedules/);
  const row = page.getByRole("row").filter({ hasText: "nightly" });
  await expect(row).toContainText("0 3 * * * Europe/Zurich");
  await expect(row).toContainText("demand/1");
  await expectAccessible(page);
  await row.getByRole("button", { name: "Delete schedule nightly" }).click();
  await expect(row).toBeHidden();
  await page.getByText("Undo", { exact: true }).click();
  await expect(row).toBeVisible();
  await request.post(`${API}/schedules`, {
    data: { name: "each minute", cron: "* * * * *", plan },
  });
  await expect(page.getByRole("row").filter({ hasText: "each minute" })).toBeVisible();
});

test("a version says where it was applied and what its files hold", async ({ page }) => {
  await page.goto(`${VERSION}?tab=applied`);
  const applied = page.getByRole("table", { name: "Applied where" });
  await expect(applied.getByText(/scored\.parquet/)).toBeVisible();
  await page.getByRole("tab", { name: "Scan" }).click();
  await expect(page.getByText(/The files bring objects or code along/)).toBeVisible();
  await expectAccessible(page);
});

test("the wizard maps, casts, runs, and shows the result with its predictions", async ({
  page,
}) => {
  await page.goto(VERSION);
  await page.getByRole("button", { name: "Apply this version" }).last().click();
  await page.getByRole("menuitem", { name: "Apply this model in wizard" }).click();
  const tables = page.getByRole("list", { name: "Tables" });
  await tables.getByRole("button", { name: /tables/ }).click({ timeout: 15_000 });
  await tables.getByRole("button", { name: /stores/ }).click({ timeout: 15_000 });
  await tables.getByRole("button", { name: /other\.parquet/ }).click({ timeout: 15_000 });
  await expect(page.getByRole("region", { name: "Preview" })).toBeVisible({ timeout: 15_000 });
  await expectAccessible(page);
  const next = page.getByRole("button", { name: "Next" });
  await next.click();
  await expect(page.getByText("Choose the column for price; the model needs it.")).toBeVisible();
  await page.getByLabel("Column for price").selectOption("cost");
  await expect(page.getByText("double fits")).toBeVisible();
  await expect(page.getByText(/accept the cast to double for promo/)).toBeVisible();
  await page.getByRole("checkbox", { name: "Cast int64 to double" }).check();
  await expectAccessible(page);
  await next.click();
  await page.getByLabel("Address of the output table").fill("wizard.parquet");
  await page.getByLabel("Mode").selectOption("overwrite");
  await page.getByLabel("Engine").selectOption("spark");
  await expect(page.getByText(/The worker needs heddle-ml\[spark\]/)).toBeVisible();
  await next.click();
  await page.getByLabel("Names of the columns of predictions").fill("units");
  await page.getByRole("checkbox", { name: "cost", exact: true }).uncheck();
  await next.click();
  const code = page.getByRole("region", { name: "Code to apply" });
  await expect(code).toContainText("--engine spark");
  await expect(code).toContainText("--map price=cost");
  await page.getByRole("button", { name: "3. Output table" }).click();
  await page.getByLabel("Engine").selectOption("local");
  await page.getByRole("button", { name: "5. Code" }).click();
  await expect(code).toContainText('mapping={"price": "cost"}');
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download notebook" }).click();
  expect((await saved).suggestedFilename()).toBe("apply-demand-1.ipynb");
  await next.click();
  await expectAccessible(page);
  await page.getByRole("button", { name: "Run now" }).click();
  await expect(page).toHaveURL(/\/jobs\/\d+/);
  await expect(page.getByRole("img", { name: /^Histogram of units/ })).toBeVisible({
    timeout: 25_000,
  });
  const result = page.getByRole("region", { name: "Result" }).getByRole("table");
  await expect(result.getByRole("columnheader", { name: "units" })).toBeVisible({
    timeout: 15_000,
  });
  await expect(result.getByRole("columnheader", { name: "cost" })).toBeHidden();
});
