/** Hostile and huge things: no script of theirs runs, and the page does not hang. */
import type { APIRequestContext, Page } from "@playwright/test";
import { expect, test } from "./page.ts";

const API = "/api/v1/workspaces/default";

// The browser says what it keeps from running.
test.use({ expected: /Content Security Policy|sandboxed|ERR_INVALID_RESPONSE/ });

async function modelPath(request: APIRequestContext): Promise<string> {
  const found = await request.get(`${API}/items?kind=model`);
  const { items } = (await found.json()) as { items: { name: string }[] };
  const name = items.find((item) => item.name.includes("<img"))?.name ?? "";
  return `/w/default/models/${encodeURIComponent(name)}`;
}

async function runNamed(request: APIRequestContext, filter: string): Promise<string> {
  const found = await request.post(`${API}/runs/search`, {
    data: { columns: ["run_name"], filter },
  });
  const { rows } = (await found.json()) as { rows: { key: string }[] };
  return rows[0]?.key ?? "";
}

/** No script of a name or file ran, here or in a frame. */
async function expectUnharmed(page: Page): Promise<void> {
  expect(await page.evaluate(() => "hacked" in window || "hacked" in {})).toBe(false);
}

/** The page still answers: what it is asked between frames comes back at once. */
async function expectAwake(page: Page): Promise<void> {
  const longest = await page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        let last = performance.now();
        let most = 0;
        let frames = 0;
        const next = (now: number) => {
          most = Math.max(most, now - last);
          last = now;
          frames += 1;
          if (frames < 20) requestAnimationFrame(next);
          else resolve(most);
        };
        requestAnimationFrame(next);
      }),
  );
  expect(longest).toBeLessThan(3000);
}

test("names, tags and params are text", async ({ page, request }) => {
  await page.goto("/w/default");
  await expect(page.getByRole("link", { name: /<img src=x/ })).toBeVisible();
  await expect(page.getByRole("link", { name: /^long name/ }).first()).toBeVisible();
  await expectUnharmed(page);
  await page.goto(await modelPath(request));
  const tags = page.getByRole("article").getByRole("region", { name: "Tags" });
  await expect(tags.getByText("<script>")).toBeVisible();
  await expectUnharmed(page);
  await page.goto(`${await modelPath(request)}/list?rows=1&pane=differences&equal=1`);
  await expect(
    page.getByRole("table", { name: "Differences" }).getByText("__proto__"),
  ).toBeVisible();
  await expectUnharmed(page);
  await page.goto(`/w/default/runs/${await runNamed(request, "run_name LIKE '%script%'")}`);
  await expect(page.getByRole("heading", { name: /<img src=x/ })).toBeVisible();
  await expectUnharmed(page);
  const width = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(width).toBeLessThanOrEqual(0);
});

test("hostile files are shown and do nothing; a link of theirs cannot either", async ({
  page,
  request,
}) => {
  await page.goto(await modelPath(request));
  const files = page.getByRole("region", { name: "Files" });
  const open = (name: RegExp) => files.getByRole("treeitem", { name }).click();
  await open(/evil\.md/);
  await expect(files.getByRole("heading", { name: "Fine" })).toBeVisible();
  await expect(files.locator("a[href^='javascript']")).toHaveCount(0);
  await open(/evil\.json/);
  await expect(files.getByText("__proto__")).toBeVisible();
  await open(/evil\.svg/);
  await expect(files.getByText("evil.svg").last()).toBeVisible();
  await open(/page\.html/);
  await expect(files.getByText("window.hacked=2").first()).toBeVisible();
  await open(/broken\.png/);
  await expect(files.getByText("This image cannot be shown")).toBeVisible();
  await expectUnharmed(page);
});

test("a hostile file opened by its own address runs nothing either", async ({ page, request }) => {
  const run = await runNamed(request, "run_name LIKE '%script%'");
  for (const file of ["page.html", "evil.svg"]) {
    const address = `${API}/runs/${run}/content/model/${file}?inline=true`;
    const answer = await request.get(address);
    expect(answer.headers()["content-security-policy"]).toContain("sandbox");
    expect(answer.headers()["x-content-type-options"]).toBe("nosniff");
    await page.goto(address).catch(() => undefined);
    await expectUnharmed(page);
  }
});

test("a text of 2 GiB and a picture of 10,000 x 10,000 do not hang the page", async ({
  page,
  request,
}) => {
  await page.goto(await modelPath(request));
  const files = page.getByRole("region", { name: "Files" });
  await files.getByRole("treeitem", { name: /huge\.txt/ }).click();
  await expect(files.getByText("The first line of many").first()).toBeVisible();
  await expect(files.getByText(/The beginning of 2\.00 GiB/)).toBeVisible();
  await expectAwake(page);
  await files.getByRole("treeitem", { name: /huge\.png/ }).click();
  await expect(files.getByText("It has 10000 × 10000 pixels")).toBeVisible();
  await expectAwake(page);
});

test("a run of 12,000 metrics is opened, searched and chosen from", async ({ page, request }) => {
  const run = await runNamed(request, "run_name = 'wide'");
  await page.goto(`/w/default/runs/${run}?tab=metrics`);
  await expect(page.getByText("12,000 metrics")).toBeVisible();
  await page.getByLabel("Metrics").fill("grad.11999");
  await expect(page.getByText("1 of 12,000 metrics")).toBeVisible();
  await expectAwake(page);
  await page.goto("/w/default/runs");
  await page.getByRole("button", { name: "Customize columns" }).click();
  await page.getByRole("tab", { name: /^Metrics 12,001/ }).click();
  await page.getByLabel("Search columns").fill("grad.11999");
  await page.getByRole("checkbox", { name: "layer.199/grad.11999" }).check();
  await page.keyboard.press("Escape");
  // It is the last of many: only columns in sight are drawn.
  await page.getByRole("grid").hover();
  await page.mouse.wheel(100_000, 0);
  await expect(page.getByRole("columnheader", { name: /grad\.11999/ })).toBeVisible();
  await expectAwake(page);
});
