// Opens every screen in a headless Chromium, light and dark, wide and narrow, and takes its picture.
//
//   node tools/screenshots/shoot.js URL FOLDER [NAME...]
//
// Started by `__main__.py` in the folder `ui`, whose Playwright it uses, on the server that it filled.
// A screen is taken when nothing loads, nothing moves and no skeleton is left.
import { createRequire } from "node:module";
import { join } from "node:path";

const [url, folder, ...only] = process.argv.slice(2);
const { chromium } = createRequire(join(process.cwd(), "package.json"))("@playwright/test");
const PATIENCE_MS = 12_000;
const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 390, height: 844 };
const VARIANTS = [
  { mark: "light", viewport: WIDE, colorScheme: "light" },
  { mark: "dark", viewport: WIDE, colorScheme: "dark" },
  { mark: "light-narrow", viewport: NARROW, colorScheme: "light" },
];
const CONTRAST = { mark: "contrast", viewport: WIDE, look: "contrast" };
const W = "/w/default";
const MODEL = `${W}/models/grocery-forecasting`;

/** What the addresses below need to know: the champion, runs by name, jobs by state. */
async function lookAround() {
  const ask = async (path, body) => {
    const sent = body && { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const answer = await fetch(`${url}/api/v1/workspaces/default/${path}`, sent);
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  };
  const { runs } = await ask("runs/search", { columns: ["run_name"], limit: 1000 }).then((found) => ({ runs: found.rows }));
  const run = (name) => runs.find((row) => JSON.stringify(row.cells ?? row).includes(`"${name}"`));
  const { jobs } = await ask("jobs");
  const experiments = (await ask("experiments")).experiments;
  const champion = (await ask("models/grocery-forecasting")).aliases.find((each) => each.name === "champion").version;
  return {
    champion,
    run: (name) => `${W}/runs/${run(name).key}`,
    /** Rows of runs as an address holds them (`packKeys`). */
    rows: (...names) => names.map((name) => `~${Buffer.from(run(name).key, "hex").toString("base64url")}`).join("."),
    job: (state) => `${W}/jobs/${jobs.find((each) => each.state === state).id}`,
    experiment: (name) => `${W}/experiments/${experiments.find((each) => each.name === name).id}`,
  };
}

/** Every screen: name, address, what is done there first; `contrast` for those shown so too. */
function screens(there) {
  const version = `${MODEL}/versions/${there.champion}`;
  const list = `${MODEL}/list`;
  const study = there.experiment("grocery-forecasting-study");
  const networks = there.experiment("grocery-networks");
  const rows = there.rows("network-8", "network-32", "network-64");
  const lines = "!((id:a,type:line,x:step,y:!('metrics.held_out/rmse')),(id:b,type:line,x:step,y:!('metrics.train/rmse'),yScale:log))";
  const charts =
    "!((id:a,y:!(metrics.rmse)),(id:b,type:scatter,x:params.max_depth,y:!(metrics.rmse))," +
    "(id:c,type:line,x:step,y:!(metrics.validation_rmse))," +
    "(id:d,type:parallel,y:!(params.n_estimators,params.max_depth,metrics.rmse,metrics.r2)))";
  const click = (role, name, nth) => async (page) => {
    const found = page.getByRole(role, { name, exact: typeof name === "string" });
    const wanted = nth === undefined ? found.first() : found.nth(nth);
    const behind = page.getByRole("button", { name: "More commands" });
    // On a telephone a command may stand behind the ribbon's three points.
    if (!(await wanted.isVisible()) && (await behind.isVisible())) {
      await behind.click();
      await page.getByRole("menuitem", { name }).click();
    } else await wanted.click();
  };
  const bottom = (selector) => async (page) => {
    await page.locator(selector).first().scrollIntoViewIfNeeded();
    await page.locator(selector).first().evaluate((element) => element.scrollIntoView({ block: "start" }));
  };
  const press = (...pressed) => async (page) => {
    for (const each of pressed) await page.keyboard.press(each);
  };
  return [
    { name: "home", path: "/", contrast: true },
    { name: "workspaces", path: "/workspaces" },
    { name: "items", path: W, contrast: true },
    { name: "items-empty", path: "/w/fraud" },
    { name: "gallery", path: W, act: click("button", "New item") },
    { name: "create", path: "/create" },
    { name: "create-dialog", path: "/create", act: async (page) => {
      await click("button", "ML Model")(page);
      await page.getByLabel("Name").fill("price/elasticity");
    } },
    { name: "model-empty", path: `${W}/models/basket-affinity` },
    { name: "model", path: version, contrast: true },
    { name: "model-files", path: `${version}?path=MLmodel`, act: bottom("section:has(> * h3:text-is('Files')), [aria-label=Files]") },
    { name: "model-lineage", path: `${version}?tab=lineage`, act: bottom("[aria-label='More of this version']") },
    { name: "model-history", path: `${version}?tab=history`, act: bottom("[aria-label='More of this version']") },
    { name: "model-environment", path: `${version}?tab=environment`, act: bottom("[aria-label='More of this version']") },
    { name: "model-applied", path: `${version}?tab=applied`, act: bottom("[aria-label='More of this version']") },
    { name: "model-scan", path: `${version}?tab=scan`, act: bottom("[aria-label='More of this version']") },
    { name: "model-endpoint", path: `${version}?tab=endpoint`, act: async (page) => {
      const more = page.getByRole("region", { name: "More", exact: true });
      await more.getByRole("status").waitFor();
      const activate = more.getByRole("button", { name: "Activate", exact: true });
      if (await activate.isVisible()) await activate.click();
      await more.getByRole("button", { name: "Deactivate" }).waitFor({ timeout: 60_000 });
      await more.getByRole("button", { name: "Autofill" }).click();
      await more.getByRole("button", { name: "Get predictions" }).click();
      await more.getByRole("row", { name: /^Prediction/ }).waitFor({ timeout: 60_000 });
      await bottom("[aria-label='More of this version']")(page);
    } },
    { name: "model-curve", path: version, act: click("button", "validation_rmse") },
    { name: "apply-menu", path: version, act: async (page) => {
      await page.getByRole("button", { name: "Apply this version" }).last().click();
    } },
    { name: "apply-code", path: version, act: async (page) => {
      await page.getByRole("button", { name: "Apply this version" }).last().click();
      await page.getByRole("menuitem", { name: /Copy code/ }).click();
    } },
    { name: "register-version", path: version, act: click("button", "Register version") },
    { name: "model-list", path: list, contrast: true },
    { name: "customize-columns", path: list, act: click("button", "Customize columns") },
    { name: "compare-charts", path: `${list}?rows=1-8&charts=${charts}&share=0.62`, contrast: true },
    { name: "compare-differences", path: `${list}?rows=1.5.${there.champion}&pane=differences&share=0.7` },
    { name: "compare-files", path: `${list}?rows=1.${there.champion}&pane=files&share=0.7` },
    { name: "chart-editor", path: `${list}?rows=1-8&charts=${charts}&share=0.62`, act: click("button", /^Edit/) },
    { name: "experiment", path: study, contrast: true, act: async (page) => {
      for (const name of ["boosting-sweep", "forest-sweep"]) {
        await page.getByRole("button", { name: `Open the runs nested in ${name}` }).click();
      }
    } },
    { name: "runs", path: `${W}/runs` },
    { name: "run", path: there.run("network-32"), contrast: true },
    { name: "run-charts", path: `${there.run("network-32")}?tab=metrics` },
    { name: "run-images", path: `${there.run("network-32")}?tab=images` },
    { name: "run-files", path: `${there.run("boosting-0.08x4")}?tab=files&path=importance.csv` },
    { name: "run-comparison", path: `${networks}?rows=${rows}&charts=${lines}&share=0.6` },
    { name: "save-as-model", path: there.run("forest-120x9"), act: click("button", "Save as ML model") },
    { name: "wizard-input", path: `${version}/apply`, act: walk("input") },
    { name: "wizard-mapping", path: `${version}/apply`, act: walk("mapping") },
    { name: "wizard-output", path: `${version}/apply`, act: walk("output") },
    { name: "wizard-columns", path: `${version}/apply`, act: walk("columns") },
    { name: "wizard-code", path: `${version}/apply`, act: walk("code") },
    { name: "wizard-review", path: `${version}/apply`, act: walk("review") },
    { name: "monitor", path: `${W}/jobs` },
    { name: "job", path: there.job("done") },
    { name: "job-failed", path: there.job("failed") },
    { name: "palette", path: W, act: async (page) => {
      await page.keyboard.press("Control+k");
      await page.keyboard.type("groc", { delay: 20 });
      await page.waitForTimeout(500);
    } },
    { name: "shortcuts", path: list, act: press("?") },
    { name: "filter", path: list, act: async (page) => {
      await page.keyboard.press("/");
      await page.keyboard.type("metrics.rmse < 12 AND params.max", { delay: 10 });
      await page.waitForTimeout(500);
    } },
    { name: "filter-error", path: `${list}?filter=metrics.rmse+%3C+AND` },
    { name: "error", path: `${W}/models/not-there` },
    { name: "missing", path: "/nowhere" },
    { name: "unreachable", path: W, act: async (page) => {
      await page.route("**/api/**", (route) => route.abort("connectionrefused"));
      await page.reload();
      await page.getByText("The server does not answer.").waitFor();
    } },
  ];
}

const STEPS = ["input", "mapping", "output", "columns", "code", "review"];

/** Walks the wizard to a step, as a person would. */
function walk(step) {
  return async (page) => {
    const tables = page.getByRole("list", { name: "Tables" });
    for (const name of [/tables/, /stores/, /next-weeks\.parquet/]) {
      await tables.getByRole("button", { name }).click({ timeout: 20_000 });
    }
    await page.getByRole("region", { name: "Preview" }).waitFor({ timeout: 20_000 });
    for (const each of STEPS.slice(0, STEPS.indexOf(step))) {
      if (each === "output") {
        await page.getByLabel("Address of the output table").fill("scored/next-weeks.parquet");
        await page.getByLabel("Mode").selectOption("overwrite");
      }
      await page.getByRole("button", { name: "Next", exact: true }).click();
    }
  };
}

/** Waits until what is on the screen is what stays there. */
async function settle(page) {
  await page.waitForFunction(
    () => document.querySelector("[aria-busy=true], .fui-Skeleton, .fui-Spinner") === null,
    null,
    { timeout: 8000 },
  ).catch(() => console.log("  still loading"));
  await page.evaluate(() => document.fonts.ready);
  let before = "";
  for (let tries = 0; tries < 20; tries += 1) {
    await page.waitForTimeout(120);
    const now = await page.evaluate(() => document.body.innerText.length + " " + document.querySelectorAll("*").length);
    if (now === before) break;
    before = now;
  }
  await page.waitForTimeout(250);
}

const browser = await chromium.launch({
  executablePath: process.env.HEDDLE_BROWSER ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--hide-scrollbars"],
});
const all = screens(await lookAround());
const isWanted = (name) => only.length === 0 || only.some((each) => name.startsWith(each) || name.endsWith(`-${each}`));
let taken = 0;
let failed = 0;
for (const { mark, look, ...options } of [...VARIANTS, CONTRAST]) {
  const chosen = all.filter((screen) => isWanted(`${screen.name}-${mark}`) && (!look || screen.contrast));
  const context = await browser.newContext({ ...options, locale: "en", reducedMotion: "reduce" });
  if (look) await context.addInitScript((text) => localStorage.setItem("heddle.look", JSON.stringify(text)), look);
  for (const screen of chosen) {
    taken += 1;
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on("pageerror", (error) => console.log(`  ${screen.name}: ${error.message}`));
    try {
      await page.goto(url + screen.path);
      await settle(page);
      if (screen.act) {
        await screen.act(page);
        await settle(page);
      }
    } catch (error) {
      failed += 1;
      console.log(`${screen.name} ${mark}: ${error.message.split("\n")[0]}`);
    }
    await page.screenshot({ path: join(folder, `${screen.name}-${mark}.png`) });
    await page.close();
  }
  await context.close();
}
await browser.close();
console.log(`${taken} pictures, ${failed} could not be reached`);
process.exit(failed ? 1 : 0);
