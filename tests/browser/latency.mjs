// Not a test: how long after a click the first cells of the map are on the page, against a running server.
// In: OCCLUDE_SERVER, the number of clicks. Out: milliseconds, sorted, for a change of window, of target and of fill. Run: node latency.mjs 10

import { chromium } from "playwright-core";

const server = process.env.OCCLUDE_SERVER?.replace(/\/$/, "");
if (!server) throw new Error("OCCLUDE_SERVER is not set: start occlude serve and name its address");
const times = Number(process.argv[2] ?? 10);
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
const tab = await browser.newPage({ viewport: { width: 1440, height: 900 } });
await tab.goto(server);
// The page's policy forbids what waitForFunction does.
const done = async () => {
  while (!(await tab.evaluate(() => live.run.phase === "done"))) await new Promise((resolve) => setTimeout(resolve, 50));
};
await done();

// From the moment that the form says "changed" (a click in a list takes effect at once) to the frame in which cells of the new map are painted.
async function first(name, values) {
  const found = [];
  for (let i = 0; i < times; i++) {
    found.push(
      await tab.evaluate(
        ([name, value]) =>
          new Promise((resolve) => {
            const begun = performance.now();
            const before = live.run.id;
            const field = document.getElementById(`live-${name}`);
            field.value = value;
            field.dispatchEvent(new Event("change", { bubbles: true }));
            const look = () => {
              if (live.run.id !== before && page.feed === live.feed && live.feed.info.computed > 0) requestAnimationFrame(() => resolve(performance.now() - begun));
              else requestAnimationFrame(look);
            };
            look();
          }),
        [name, values[i % values.length]],
      ),
    );
    await done();
  }
  found.sort((a, b) => a - b);
  console.log(`${name}: median ${found[times >> 1].toFixed(0)} ms, all ${found.map((ms) => ms.toFixed(0)).join(" ")}`);
}

await first("window", ["32", "24", "40"]);
await first("fill", ["zero", "mean", "blur"]);
await first("stride", ["8", "16", "12"]);
await browser.close();
