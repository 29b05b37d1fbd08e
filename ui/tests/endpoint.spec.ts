/** A version's endpoint: activated, tried with rows and JSON, put away; its counts and its code. */
import { expect, expectAccessible, test } from "./page.ts";

const PATH = "/w/default/models/demand/versions/1?tab=endpoint";
const API = "/api/v1/workspaces/default/models/demand/versions/1/endpoint";
/** The model's libraries are loaded first. */
const LOADED = { timeout: 60_000 };

test("an endpoint is activated, tried and put away", async ({ page, request }) => {
  test.setTimeout(120_000);
  await page.goto(PATH);
  const more = page.getByRole("region", { name: "More", exact: true });
  await expect(more.getByRole("status")).toHaveText("Inactive");
  await more.getByRole("button", { name: "Activate" }).click();
  await expect(more.getByRole("status")).toHaveText("Active", LOADED);
  const form = more.getByRole("region", { name: "Preview predictions" });
  await form.getByRole("button", { name: "Autofill" }).click();
  // The model's input example.
  await expect(form.getByLabel("price, row 2")).toHaveValue("20");
  await form.getByRole("button", { name: "Get predictions" }).click();
  await expect(form.getByRole("row", { name: /^Prediction/ })).toContainText("65");
  await expectAccessible(page);
  await form.getByRole("button", { name: "Remove row 2" }).click();
  await form.getByLabel("price, row 1").fill("cheap");
  await form.getByRole("button", { name: "Get predictions" }).click();
  await expect(
    form.getByText("column 'price' is string, and the model takes double"),
  ).toBeVisible();
  await form.getByLabel("price, row 1").fill("15");
  await form.getByText("JSON", { exact: true }).click();
  await expect(form.getByLabel("Request")).toHaveValue(/\[15, 0\]/);
  await form.getByRole("button", { name: "Get predictions" }).click();
  await expect(form.getByRole("region", { name: "Predictions" })).toContainText("70");
  await expect(more.getByText("Median time")).toBeVisible();
  const { counts } = (await (await request.get(API)).json()) as {
    counts: { requests: number; errors: number };
  };
  expect(counts).toMatchObject({ requests: 3, errors: 1 });
  const code = more.getByRole("region", { name: "Code to ask" });
  await expect(code).toContainText(`${API}/score`);
  await more.getByRole("tab", { name: "Python" }).click();
  await expect(code).toContainText("requests.post(");
  await more.getByRole("button", { name: "Deactivate" }).click();
  await expect(more.getByRole("status")).toHaveText("Inactive");
  const answer = await request.post(`${API}/score`, { data: { inputs: [[1, 2]] } });
  expect(answer.status()).toBe(400);
  expect(await answer.text()).toContain("is not active");
});
