// Opens the page in a headless Chromium and times what people wait for; one line of JSON each.
//
// Started by `page.py` in the folder `ui`, whose Playwright it uses. An opening counts as usable
// when the first row's link and its first metric are drawn; charts when all canvases asked for are.
// With a file of addresses as its third argument it opens MLflow's page on the same data instead.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { join } from "node:path";

const ROUNDS = 5;
const PEER_LIMIT_MS = 90_000;
const [url, count, addresses] = process.argv.slice(2);
const { chromium } = createRequire(join(process.cwd(), "package.json"))("@playwright/test");
const browser = await chromium.launch({
  executablePath: process.env.HEDDLE_BROWSER ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"],
});
const LIST = `${url}/w/default/models/wide/list`;
const KINDS =
  "!((id:a,y:!(metrics.rmse)),(id:b,type:scatter,x:metrics.accuracy,y:!(metrics.rmse))," +
  "(id:c,type:parallel,y:!(metrics.rmse,metrics.accuracy,params.depth))," +
  "(id:d,type:histogram,y:!(metrics.rmse)),(id:e,type:box,groupBy:params.kernel,y:!(metrics.rmse)))";
const LINES = "!((id:a,type:line,x:step,y:!(metrics.loss)))";

async function usable(page) {
  await page.getByRole("link", { name: `Version ${count}`, exact: true }).waitFor();
  await page.locator("[role=gridcell]", { hasText: /^0\.\d/ }).first().waitFor();
}

/** Whether so many charts are drawn: a canvas that is not of one colour. */
async function drawn(page, charts) {
  await page.waitForFunction((wanted) => {
    const canvases = [...document.querySelectorAll("canvas")];
    return canvases.length >= wanted && canvases.every((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value, n) => n % 4 === 3 && value > 0);
    });
  }, charts, { polling: 50 });
}

/** The longest time between two frames while the table is scrolled for three seconds. */
async function scroll(page) {
  await page.goto(LIST);
  await usable(page);
  return page.evaluate(async () => {
    const grid = document.querySelector("[role=grid]");
    const began = performance.now();
    let last = began;
    let longest = 0;
    for (;;) {
      const now = await new Promise(requestAnimationFrame);
      longest = Math.max(longest, now - last);
      last = now;
      if (now - began > 3000) return longest;
      grid.scrollTop += 240;
      grid.scrollLeft = (now - began) * 3;
    }
  });
}

async function timed(page, address, ready) {
  const began = performance.now();
  await page.goto(address);
  await ready(page);
  return performance.now() - began;
}

const OURS = [
  { what: `opening ${count} versions`, aim: "1500", peer: "versions", run: (page) => timed(page, LIST, usable) },
  { what: "longest frame while scrolling both ways", aim: "1000", run: scroll },
  { what: "1,000 versions in five charts", aim: "2000", peer: "compared",
    run: (page) => timed(page, `${LIST}?rows=1-1000&share=1&charts=${KINDS}`, (p) => drawn(p, 5)) },
  { what: "100 runs' longest metric as lines", aim: "1000", peer: "lines",
    run: (page) => timed(page, `${LIST}?rows=2-101&share=1&charts=${LINES}`, (p) => drawn(p, 1)) },
];

/** MLflow's page, once each: what it shows of the same, or that it did not within the limit. */
const there = addresses === undefined ? {} : JSON.parse(readFileSync(addresses, "utf8"));
const PEERS = [
  { id: "versions", ready: (page) => page.getByText(`Version ${count}`, { exact: true }).first().waitFor({ timeout: PEER_LIMIT_MS }) },
  { id: "compared", ready: (page) => page.locator(".js-plotly-plot canvas, .js-plotly-plot .main-svg").first().waitFor({ timeout: PEER_LIMIT_MS }) },
  { id: "lines", ready: (page) => page.waitForFunction((wanted) => document.querySelectorAll(".scatterlayer .trace").length >= wanted, 100, { timeout: PEER_LIMIT_MS, polling: 100 }) },
];
if (addresses !== undefined) {
  for (const { id, ready } of PEERS) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    let took = null;
    try {
      took = Math.round(await timed(page, there[id], ready));
    } catch (error) {
      if (error.name !== "TimeoutError") throw error;
    }
    console.log(JSON.stringify({ id, took, limit: PEER_LIMIT_MS }));
    await context.close();
  }
  await browser.close();
  process.exit();
}

for (const { what, aim, peer = "", run } of OURS) {
  const taken = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    // A context of its own each time: nothing comes from the browser's cache.
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    taken.push(await run(await context.newPage()));
    await context.close();
  }
  const first = taken[0].toFixed(0);
  taken.sort((a, b) => a - b);
  const [median, worst] = [taken[ROUNDS >> 1], taken[ROUNDS - 1]].map((ms) => ms.toFixed(0));
  console.log(JSON.stringify({ what, aim, median, worst, first, peer }));
}
await browser.close();
