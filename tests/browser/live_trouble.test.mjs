// The live page when things go wrong, in a real browser: what the server refuses, streams that break, servers that go
// away or forget, tabs that come and go, maps held for comparison. In: see live_page.mjs; most of it needs the stand-in.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SIZE, done, needsStandIn, openLive, picture, settled, transfer, until } from "./live_page.mjs";
import { StandIn } from "./stand_in.mjs";

const refusals = /Failed to load resource/; // what the browser itself says of an answer of 400

// The alert beside the form, once there is one.
async function alertOf(page) {
  await until(page, () => document.getElementById("live-error").textContent !== "");
  return page.locator("#live-error p").allTextContents();
}

const mapNow = (page) => page.evaluate(() => [...page.feed.targets[0].occluded]);

test("what is no picture is refused with the server's words, and the map stays", async () => {
  const { page, close } = await openLive({ allowed: refusals });
  const before = await mapNow(page);
  await transfer(page, "drop", { name: "notes.png", mimeType: "image/png", buffer: Buffer.from("no picture at all") });
  const said = await alertOf(page);
  assert.match(said[0], /notes\.png/);
  assert.equal(said.length, 2, "with a hint");
  assert.equal(await page.locator("#live-error").getAttribute("role"), "alert");
  assert.equal(await page.locator("#live").getAttribute("aria-busy"), null);
  assert.deepEqual(await mapNow(page), before);
  assert.match(await page.locator("#live-input").textContent(), /^coffee\./);
  // The next thing that works takes the message away.
  await settled(page, () => transfer(page, "drop", picture(2)));
  assert.equal(await page.locator("#live-error").textContent(), "");
  await close();
});

test("settings that do not fit are refused with a hint, and the map stays", async () => {
  const { page, close } = await openLive({ allowed: refusals });
  const before = await mapNow(page);
  const id = await page.evaluate(() => live.run.id);
  await page.locator("#live-window").fill("999");
  const said = await alertOf(page);
  assert.match(said[0], /999/);
  assert.ok(said[1].length > 0, "with a hint");
  assert.deepEqual(await mapNow(page), before);
  assert.equal(await page.evaluate(() => live.run.id), id);
  await settled(page, () => page.locator("#live-window").fill(SIZE));
  assert.equal(await page.locator("#live-error").textContent(), "");
  await close();
});

test("a refused change does not stop the map that is being computed", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive({ prepare: (stand) => stand.hold(), wait: "#figures", allowed: refusals });
  server.allow(5);
  await until(page, () => page?.feed.info.computed === 5);
  await page.locator("#live-target").fill("no such class");
  await page.locator("#live-target").press("Enter");
  assert.match((await alertOf(page))[0], /no such class/);
  server.allow(Infinity);
  await done(page);
  await close();
});

test("files that are too large are not sent, and the limit is named", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive();
  await transfer(page, "drop", { name: "huge.png", mimeType: "image/png", buffer: Buffer.alloc(250_000, 1) });
  assert.match((await alertOf(page))[0], /^huge\.png has 250 kB; this server takes files of at most 200 kB\.$/);
  await transfer(page, "drop", { name: "huge.onnx", mimeType: "", buffer: Buffer.alloc(450_000, 8) });
  await until(page, () => document.getElementById("live-error").textContent.includes("onnx"));
  assert.match((await alertOf(page))[0], /takes models of at most 400 kB/);
  assert.equal(server.asked("POST /api/inputs").length + server.asked("POST /api/models").length, 0);
  await close();
});

test("what is no model is refused, and the models stay", async () => {
  const { page, close } = await openLive({ allowed: refusals });
  const models = await page.locator("#live-model option").allTextContents();
  await transfer(page, "drop", { name: "bad.onnx", mimeType: "", buffer: Buffer.from("PK not onnx") });
  assert.match((await alertOf(page))[0], /bad\.onnx/);
  assert.deepEqual(await page.locator("#live-model option").allTextContents(), models);
  await close();
});

test("names of models, inputs and errors are text, never markup", { skip: needsStandIn }, async () => {
  const { page, close } = await openLive({ allowed: refusals });
  const name = "<img src=x onerror=alert(1)>.png";
  await settled(page, () => transfer(page, "drop", { ...picture(2), name }));
  assert.equal(await page.locator("#live-input").textContent(), name);
  await transfer(page, "drop", { name: "<b>bad</b>.png", mimeType: "image/png", buffer: Buffer.from("nothing") });
  assert.match((await alertOf(page))[0], /^<b>bad<\/b>\.png/);
  assert.equal(await page.locator("#live b:not(#live-empty b), #live img").count(), 0);
  await close();
});

test("a stream that breaks is taken up again, with what was computed meanwhile", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive({ prepare: (stand) => stand.hold(), wait: "#figures", allowed: /ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION|Failed to load/ });
  server.allow(10);
  await until(page, () => page?.feed.info.computed === 10);
  const id = await page.evaluate(() => live.run.id);
  server.dropStreams();
  server.allow(15); // nobody hears of these
  await until(page, () => page.feed.info.computed === 25);
  assert.equal(await page.evaluate(() => live.run.id), id, "the same run");
  assert.equal(server.asked("POST /api/runs").length, 1);
  assert.equal(server.asked(`GET /api/runs/${id}/events`).length, 2);
  server.allow(Infinity);
  await done(page);
  const { results } = server.runs.get(id);
  assert.deepEqual(await mapNow(page), Array.from({ length: 49 }, (_, cell) => results.get(cell).occluded[0]));
  assert.equal(await page.locator("#live-error").textContent(), "");
  await close();
});

test("a server that is gone is said, nothing on the page is lost, and trying again works when it is back", { skip: needsStandIn }, async () => {
  const first = await new StandIn().start();
  const { port } = first;
  const { page, close } = await openLive({ stand: first, allowed: /Failed to load resource|ERR_CONNECTION/ });
  const before = await mapNow(page);
  await first.stop();
  await page.locator("#live-fill").selectOption("zero");
  assert.match((await alertOf(page))[0], /does not answer/);
  assert.deepEqual(await mapNow(page), before);
  assert.equal(await page.locator("#live-where").textContent(), "The server does not answer.");
  await page.locator("#live-again").click(); // still gone
  assert.match((await alertOf(page))[0], /does not answer/);
  const second = await new StandIn().start(port);
  await page.locator("#live-again").click();
  await until(page, () => live.run.phase === "done" && live.run.asked.settings.fill === "zero");
  assert.equal(await page.locator("#live-error").textContent(), "");
  assert.notDeepEqual(await mapNow(page), before);
  await close();
  await second.stop();
});

test("a server that goes away in the middle of a map keeps the part on the page", { skip: needsStandIn }, async () => {
  const stand = await new StandIn().start();
  const { page, close } = await openLive({ stand, prepare: (server) => server.hold(), wait: "#figures", allowed: /Failed to load resource|ERR_/ });
  stand.allow(12);
  await until(page, () => page?.feed.info.computed === 12);
  stand.permits = -1e9;
  await stand.stop();
  assert.match((await alertOf(page))[0], /does not answer/);
  assert.equal(await page.evaluate(() => page.feed.info.computed), 12);
  await close();
});

test("an address of before the server was started again falls back to its command line, and says so", { skip: needsStandIn }, async () => {
  const { page, close } = await openLive({ hash: "#set.input=i77&set.fill=zero", allowed: refusals });
  assert.match((await alertOf(page))[0], /does not know the input of this address.*Shown is coffee\.png, named on the command line\./);
  assert.match(await page.locator("#live-input").textContent(), /^coffee\./);
  assert.equal(await page.locator("#live-fill").inputValue(), "zero");
  assert.ok(!page.url().includes("i77"));
  await close();
});

test("a server started again is sent the picture that this page sent before", { skip: needsStandIn }, async () => {
  const first = await new StandIn().start();
  const { port } = first;
  const { page, close } = await openLive({ stand: first, allowed: /Failed to load resource|ERR_CONNECTION/ });
  await settled(page, () => transfer(page, "drop", picture(2)));
  const before = await mapNow(page);
  await first.stop();
  const second = await new StandIn({ input: false }).start(port);
  await settled(page, () => page.locator("#live-window").fill(SIZE));
  await settled(page, () => page.locator("#live-window").fill(""));
  assert.deepEqual(await mapNow(page), before);
  assert.equal(second.asked("POST /api/inputs").length, 1);
  assert.equal(await page.locator("#live-input").textContent(), picture(2).name);
  await close();
  await second.stop();
});

test("a page that is left stops its run", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive({ prepare: (stand) => stand.hold(), wait: "#figures" });
  server.allow(3);
  await until(page, () => page?.feed.info.computed === 3);
  const id = await page.evaluate(() => live.run.id);
  await page.goto("about:blank");
  await server.until(() => server.runs.get(id).ended);
  assert.equal(server.runs.get(id).ended[1].why, "cancelled");
  // Back again: the map is asked for anew.
  server.allow(Infinity);
  await page.goBack();
  await done(page);
  assert.notEqual(await page.evaluate(() => live.run.id), id);
  await close();
});

test("a page that is put aside and brought back asks anew for what was not done", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive({ prepare: (stand) => stand.hold(), wait: "#figures" });
  server.allow(3);
  await until(page, () => page?.feed.info.computed === 3);
  const id = await page.evaluate(() => live.run.id);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  await server.until(() => server.runs.get(id).ended);
  assert.equal(await page.evaluate(() => page.feed.info.computed), 3, "the part stays");
  server.allow(Infinity);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await done(page);
  assert.notEqual(await page.evaluate(() => live.run.id), id);
  // What was done is not computed again.
  const asked = server.asked("POST /api/runs").length;
  for (const name of ["pagehide", "pageshow"]) await page.evaluate((name) => dispatchEvent(new PageTransitionEvent(name, { persisted: true })), name);
  assert.equal(server.asked("POST /api/runs").length, asked);
  await close();
});

test("back goes to the picture before; another model reads the same picture, whoever has the file", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive();
  await settled(page, () => transfer(page, "drop", picture(2)));
  await settled(page, () => page.goBack());
  assert.equal(await page.locator("#live-input").textContent(), "coffee.png");
  const small = () => page.evaluate(() => page.feed.axes.map((axis) => axis.length));
  // The file of the command line is the server's: the page asks for it by its number.
  await settled(page, () => page.locator("#live-model").selectOption({ label: "other" }));
  assert.equal(await page.locator("#live-input").textContent(), "coffee.png");
  assert.deepEqual(await small(), [24, 24]);
  assert.equal(server.asked("POST /api/inputs").at(-1).search, "?model=m2&from=i1");
  await settled(page, () => transfer(page, "drop", picture(3)));
  assert.deepEqual(await small(), [24, 24]);
  // The reader's own file is sent again.
  await settled(page, () => page.locator("#live-model").selectOption({ label: "linear" }));
  assert.equal(await page.locator("#live-input").textContent(), picture(3).name);
  assert.equal(server.asked("POST /api/inputs").length, 4);
  await close();
});

test("a server that was started again while a map was computed gets the question again", { skip: needsStandIn }, async () => {
  const first = await new StandIn().start();
  const { port } = first;
  const { page, close } = await openLive({ stand: first, prepare: (stand) => stand.hold(), wait: "#figures", allowed: /Failed to load resource|ERR_/ });
  first.allow(12);
  await until(page, () => page?.feed.info.computed === 12);
  first.permits = -1e9;
  await first.stop();
  const second = await new StandIn().start(port);
  second.runs.set("r0", null); // so that its runs have other names
  await until(page, () => live.run.phase === "done" && page.feed.info.complete);
  assert.equal(second.asked("POST /api/runs").length, 1);
  assert.equal(await page.locator("#live-error").textContent(), "");
  await close();
  await second.stop();
});

test("a held map of an input that is no more is let go, and said", { skip: needsStandIn }, async () => {
  const { page, close } = await openLive({ hash: `#set.held=${encodeURIComponent(":model=m1&:input=i88")}`, allowed: refusals });
  assert.match((await alertOf(page))[0], /i88/);
  assert.equal(await page.locator("#live-hold").textContent(), "Hold for comparison");
  assert.ok(!page.url().includes("held"));
  await close();
});

test("two tabs compute side by side, each its own map", async () => {
  const { page, base, context, close } = await openLive();
  const other = await context.newPage();
  await other.goto(`${base}/#set.fill=zero`);
  await done(other);
  await settled(page, () => page.locator("#live-window").fill(SIZE));
  assert.notEqual(await page.evaluate(() => live.tab), await other.evaluate(() => live.tab));
  assert.deepEqual(await other.evaluate(() => live.form.settings), { fill: "zero" });
  assert.equal(await other.evaluate(() => live.run.phase), "done");
  await close();
});

test("a tab's runs do not stop those of another", { skip: needsStandIn }, async () => {
  const { page, base, context, server, close } = await openLive({ prepare: (stand) => stand.hold(), wait: "#figures" });
  await until(page, () => live.run.phase === "computing");
  const other = await context.newPage();
  await other.goto(base);
  await until(other, () => live.run.phase === "computing");
  assert.deepEqual([...server.runs.values()].map((run) => run.ended), [null, null]);
  server.allow(Infinity);
  await done(page);
  await done(other);
  await close();
});

// ---- two maps -------------------------------------------------------------------------------------------------

test("a map is held beside the next one, comes again with the address, and is let go", async () => {
  const { page, close } = await openLive();
  const first = await mapNow(page);
  await page.locator("#live-hold").click();
  await settled(page, () => page.locator("#live-fill").selectOption("zero"));
  const both = () => page.evaluate(() => ({ shown: [...page.feed.targets[0].occluded], held: [...live.heldFeed.targets[0].occluded], second: page.second === undefined ? null : true }));
  let now = await both();
  assert.deepEqual(now.held, first);
  assert.notDeepEqual(now.shown, first);
  await page.reload();
  await done(page);
  await until(page, () => live.heldFeed?.info.complete);
  assert.deepEqual(await both(), now);
  assert.equal(await page.locator("#live-hold").textContent(), "Let go of the held map");
  await page.locator("#live-hold").click();
  assert.equal(await page.evaluate(() => live.heldFeed), null);
  assert.ok(!page.url().includes("held"));
  await close();
});

test("a map that is held while it is computed is finished", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive({ prepare: (stand) => stand.hold(), wait: "#figures" });
  server.allow(6);
  await until(page, () => page?.feed.info.computed === 6);
  await page.locator("#live-hold").click();
  await page.locator("#live-fill").selectOption("zero");
  await until(page, () => live.run.asked.settings.fill === "zero");
  server.allow(Infinity);
  await done(page);
  await until(page, () => live.heldFeed.info.complete);
  const fills = [...server.runs.values()].filter((run) => run.ended[0] === "done").map((run) => [run.slot, run.question.settings.fill ?? "mean"]);
  assert.deepEqual(fills.sort(), [["a", "zero"], ["b", "mean"]]);
  await close();
});
