// The window moved by hand, in a real browser: by pointer, touch and keys; its numbers against the model and the map.
// In: see live_page.mjs.

import assert from "node:assert/strict";
import { test } from "node:test";
import { handAt, handSays, needsStandIn, openLive, readNpy, real, settled, until } from "./live_page.mjs";
import { CHANNELS, softmax, valuesOf } from "./stand_in_model.mjs";

// Where on the screen the middle of a window that starts here is.
async function onScreen(page, start) {
  const box = await page.locator("#hand-stage").boundingBox();
  const { lengths, window } = await page.evaluate(() => ({ lengths: live.hand.axes.map((axis) => axis.length), window: live.hand.window }));
  const share = (axis) => (start[axis] + window[axis] / 2) / lengths[axis];
  return [box.x + box.width * share(1), box.y + box.height * share(0)];
}

// The stand-in's model once more, summed in full and in another way than the stand-in does.
function scoresWith(server, start, window) {
  const { model, bytes } = server.named;
  const values = valuesOf(bytes, model.height, model.width);
  const plane = model.height * model.width;
  const logits = model.classes.map((_, output) => {
    let sum = 0;
    for (let c = CHANNELS - 1; c >= 0; c--) {
      const mean = values.subarray(c * plane, (c + 1) * plane).reduce((a, b) => a + b, 0) / plane;
      for (let i = plane - 1; i >= 0; i--) {
        const [y, x] = [Math.floor(i / model.width), i % model.width];
        const isHidden = start && y >= start[0] && y < start[0] + window && x >= start[1] && x < start[1] + window;
        sum += model.weight(output, c * plane + i) * (isHidden ? mean : values[c * plane + i]);
      }
    }
    return sum;
  });
  return softmax(logits).map(Math.fround);
}

function ranked(model, scores) {
  return [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, 5).map((index) => ({ name: model.classes[index], numbers: [scores[index]] }));
}

test("a place under the pointer says the model's own numbers, to the bit", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive();
  await page.locator("#live-hand").click();
  const { model } = server.named;
  const untouched = scoresWith(server, null, 0);
  const top = untouched.indexOf(Math.max(...untouched));
  for (const start of [[3, 5], [0, 0], [24, 24], [17, 9]]) {
    await page.mouse.move(...(await onScreen(page, start)));
    await handAt(page, start);
    const said = await handSays(page);
    const scores = scoresWith(server, start, 8);
    const expected = [untouched[top], scores[top], Math.fround(untouched[top] - scores[top])];
    assert.deepEqual(said.scores, [{ name: `${model.classes[top]}, probability`, numbers: expected }]);
    assert.deepEqual(said.then, ranked(model, scores));
    assert.deepEqual(said.before, ranked(model, untouched));
    // The picture is 64 pixels wide and the input 32 elements.
    assert.equal(said.place, `Hidden: x ${2 * start[1]}–${2 * start[1] + 16}, y ${2 * start[0]}–${2 * start[0] + 16} px`);
  }
  await close();
});

test("at a window of the grid the numbers are the map's", async () => {
  const { page, base, close } = await openLive();
  const { id, axes } = await page.evaluate(() => ({ id: live.run.id, axes: page.feed.axes.map(({ starts }) => starts) }));
  const { shape, values } = readNpy(Buffer.from(await (await fetch(`${base}/api/runs/${id}/map.npy`)).arrayBuffer()));
  const occluded = await page.evaluate(() => [...page.feed.targets[0].occluded]);
  await page.locator("#live-hand").click();
  for (const [row, column] of [[0, 0], [2, 3], [shape[0] - 1, shape[1] - 1]]) {
    const start = [axes[0][row], axes[1][column]];
    await page.mouse.move(...(await onScreen(page, start)));
    await handAt(page, start);
    const { scores } = await handSays(page);
    const cell = row * shape[1] + column;
    assert.equal(scores[0].numbers[1], occluded[cell]);
    assert.equal(scores[0].numbers[2], values[cell]);
  }
  await close();
});

test("from load to a probe by keyboard alone", async () => {
  const { page, close } = await openLive();
  // By Tab to the button, so that it is reachable, and on by Enter.
  for (let i = 0; i < 60 && !(await page.evaluate(() => document.activeElement.id === "live-hand")); i++) await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "live-hand");
  await page.keyboard.press("Enter");
  await until(page, () => document.activeElement.id === "hand-stage" && document.getElementById("by-hand").dataset.start);
  const { start } = await handSays(page);
  const inside = await page.evaluate(() => live.hand.axes.map(({ length }, i) => length - live.hand.window[i]));
  const moves = [["ArrowRight", 0, 1], ["ArrowDown", 1, 0], ["Shift+ArrowDown", 10, 0], ["Shift+ArrowLeft", 0, -10], ["ArrowUp", -1, 0], ["ArrowLeft", 0, -1]];
  let at = start;
  for (const [key, dy, dx] of moves) {
    at = [at[0] + dy, at[1] + dx].map((v, i) => Math.max(0, Math.min(inside[i], v)));
    await page.keyboard.press(key);
    await handAt(page, at);
  }
  await until(page, () => document.querySelector("#by-hand [role=status]").textContent !== "");
  assert.match(await page.locator("#by-hand [role=status]").textContent(), /^x .* px: probability of .* to .*; the model then says /);
  assert.equal(await page.locator("#live-hand").getAttribute("aria-pressed"), "true");
  await page.keyboard.press("h");
  await until(page, () => !document.getElementById("by-hand"));
  assert.equal(await page.evaluate(() => document.activeElement.id), "live-hand");
  await close();
});

test("letters typed into a field move nothing", async () => {
  const { page, close } = await openLive();
  await page.locator("#live-target").focus();
  await page.keyboard.type("h");
  await page.locator("#live-more-fold summary").click();
  await page.locator("#live-more").focus();
  await page.keyboard.type("h2");
  assert.equal(await page.locator("#live-hand").getAttribute("aria-pressed"), "false");
  await page.locator("#live-more").fill("");
  await close();
});

test("of many places only the newest is asked, one at a time", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive();
  await page.locator("#live-hand").click();
  await until(page, () => document.getElementById("by-hand").dataset.start);
  const before = server.asked("POST /api/probe").length;
  server.holdProbes = true;
  for (let i = 0; i <= 20; i++) await page.mouse.move(...(await onScreen(page, [i, i])));
  const places = () => server.asked("POST /api/probe").slice(before).map(({ body }) => JSON.parse(body).start);
  assert.deepEqual(places(), [[0, 0]], "the others wait for its answer");
  assert.equal(await page.locator("#by-hand").getAttribute("aria-busy"), "true");
  server.holdProbes = false;
  server.releaseProbes();
  await handAt(page, [20, 20]);
  assert.deepEqual(places(), [[0, 0], [20, 20]]);
  assert.equal(server.probes.most, 1);
  assert.equal(await page.locator("#by-hand").getAttribute("aria-busy"), null);
  await close();
});

test("an answer to what is no longer asked is dropped", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive();
  await page.locator("#live-hand").click();
  await page.mouse.move(...(await onScreen(page, [4, 4])));
  await handAt(page, [4, 4]);
  server.holdProbes = true;
  await page.mouse.move(...(await onScreen(page, [9, 4])));
  await until(page, () => live.hand.prober.isBusy);
  // Another fill: what is under way is an answer to the old one.
  await page.locator("#live-summary").click();
  await settled(page, () => page.locator("#live-fill").selectOption("zero"));
  server.holdProbes = false;
  const old = await page.locator("#hand-scores").textContent();
  await page.evaluate(() => {
    window.told = [];
    const tell = live.hand.tell.bind(live.hand);
    live.hand.tell = (answer) => {
      window.told.push(answer.targets[0].occluded);
      tell(answer);
    };
  });
  server.releaseProbes();
  await handAt(page, [9, 4]);
  await until(page, () => !live.hand.prober.isBusy);
  const question = server.runs.get(await page.evaluate(() => live.run.id)).question;
  assert.deepEqual(question.settings, { fill: "zero" });
  assert.deepEqual(await page.evaluate(() => window.told), [question.probe([9, 4]).targets[0].occluded]);
  assert.notEqual(await page.locator("#hand-scores").textContent(), old);
  await close();
});

test("a place that the server refuses is said, and the next answer takes that away", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive({ allowed: /503/ });
  await page.locator("#live-hand").click();
  await page.mouse.move(...(await onScreen(page, [4, 4])));
  await handAt(page, [4, 4]);
  server.isBusy = true;
  await page.mouse.move(...(await onScreen(page, [8, 4])));
  await until(page, () => document.getElementById("live-error").textContent.startsWith("too many windows by hand"));
  assert.deepEqual((await handSays(page)).start, [4, 4], "the answer before stays, with its own place");
  server.isBusy = false;
  await page.mouse.move(...(await onScreen(page, [9, 4])));
  await handAt(page, [9, 4]);
  assert.equal(await page.locator("#live-error").textContent(), "");
  await close();
});

test("the window is as large as asked, stays inside, and hides its patch on the picture", async () => {
  const { page, close } = await openLive({ hash: real ? "#set.window=40" : "#set.window=12x6" });
  await page.locator("#live-hand").click();
  const box = await page.locator("#hand-stage").boundingBox();
  await page.mouse.move(box.x + 5, box.y + box.height - 5);
  const [length, window] = real ? [224, [40, 40]] : [32, [12, 6]];
  await handAt(page, [length - window[0], 0]);
  const patch = await page.locator(".hand-window").boundingBox();
  const near = (a, b) => assert.ok(Math.abs(a - b) < 1, `${a} is not ${b}`);
  near(patch.width, (box.width * window[1]) / length);
  near(patch.height, (box.height * window[0]) / length);
  near(patch.x, box.x);
  near(patch.y + patch.height, box.y + box.height);
  await close();
});

test("a finger drags the window", async () => {
  const { page, close } = await openLive({ hasTouch: true, viewport: { width: 390, height: 800 } });
  await page.locator("#live-hand").click();
  await until(page, () => document.getElementById("by-hand")?.dataset.start);
  await page.locator("#hand-stage").scrollIntoViewIfNeeded();
  const session = await page.context().newCDPSession(page);
  const touch = async (type, start) => {
    const [x, y] = start ? await onScreen(page, start) : [];
    await session.send("Input.dispatchTouchEvent", { type, touchPoints: start ? [{ x, y }] : [] });
  };
  await touch("touchStart", [6, 6]);
  await handAt(page, [6, 6]);
  await touch("touchMove", [10, 14]);
  await handAt(page, [10, 14]);
  await touch("touchEnd", null);
  assert.equal(await page.evaluate(() => page.state.pinned), null, "nothing is pinned by it");
  await close();
});

test("where the hand was is in the address", async () => {
  const { page, close } = await openLive();
  await page.locator("#live-hand").click();
  await page.mouse.move(...(await onScreen(page, [5, 7])));
  await handAt(page, [5, 7]);
  await until(page, () => location.hash.includes("hand=5%2C7"));
  await page.mouse.move(5, 5);
  await page.reload();
  await handAt(page, [5, 7]);
  assert.equal(await page.locator("#live-hand").getAttribute("aria-pressed"), "true");
  await close();
});

test("over three axes there is no window by hand, and the page says why", { skip: needsStandIn }, async () => {
  const { page, close } = await openLive();
  await page.evaluate(() => {
    const info = structuredClone(page.feed.info);
    info.axes = [{ name: "z", role: "spatial", length: 4, starts: [0], ends: [4] }, ...info.axes];
    live.take({ ...info, picture: null }, false);
  });
  assert.ok(await page.locator("#live-hand").isDisabled());
  assert.match(await page.locator("#live-hand-why").textContent(), /this input has 3\.$/);
  await close();
});
