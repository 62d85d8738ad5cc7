// A stand-in for `occlude serve`: the same addresses and events (answered by a made-up linear model), and what tests
// need: it records what it was asked, and computes when it is told.
// In: the page's files in report/, requests. Out: answers, events. Run alone to look at the page:
// `node stand_in.mjs 8123`, add `slow` to see a map fill. Not here: numbers (stand_in_model.mjs).

import { readFileSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";
import { Linear, Question, Refusal, npy, valuesOf } from "./stand_in_model.mjs";

const report = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../report");
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = { html: "text/html; charset=utf-8", css: "text/css; charset=utf-8", js: "text/javascript; charset=utf-8" };
const LIMITS = { upload_bytes: 200_000, model_bytes: 400_000, pixels: 1e8 };
const NAMES = ["espresso", "red wine", "cup", "saucer", "soup bowl", "chocolate sauce", "coffee mug", "eggnog"];

export class StandIn {
  // `input`: whether one is named on the command line. `settings`: those of the command line.
  constructor({ input = true, settings = {} } = {}) {
    this.models = [
      new Linear({ id: "m1", name: "linear", height: 32, width: 32, classes: NAMES, seed: 3 }),
      new Linear({ id: "m2", name: "other", height: 24, width: 24, classes: NAMES.slice(0, 6).reverse(), seed: 11 }),
    ];
    this.inputs = new Map();
    this.runs = new Map();
    this.settings = settings;
    this.log = []; // {method, path, body}: every request
    this.queueAhead = 0; // runs wait behind so many until `advance`
    this.permits = Infinity; // windows that may be computed; `hold` and `allow` change it
    this.batch = 8;
    this.pause = 2; // milliseconds between batches
    this.probes = { open: 0, most: 0, held: [] };
    this.holdProbes = false;
    this.streams = new Set();
    this.named = input ? this.addInput("coffee.png", plainPicture(64, 64), this.models[0]) : null;
  }

  async start(port = 0) {
    this.http = http.createServer((request, response) => this.answer(request, response));
    await new Promise((done) => this.http.listen(port, "127.0.0.1", done));
    this.port = this.http.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  async stop() {
    this.allow(Infinity);
    await new Promise((done) => {
      this.http.close(done);
      this.http.closeAllConnections();
    });
  }

  // ---- what tests do ------------------------------------------------------------------------------------------

  hold() {
    this.permits = 0;
  }

  allow(windows) {
    this.permits += windows;
    for (const wake of this.wakers ?? []) wake();
    this.wakers = [];
  }

  dropStreams() {
    for (const response of this.streams) response.destroy();
    this.streams.clear();
  }

  releaseProbes() {
    for (const go of this.probes.held.splice(0)) go();
  }

  // Waits until something is true here.
  async until(check) {
    const patience = Date.now() + 20_000;
    while (!check()) {
      if (Date.now() > patience) throw new Error(`this did not become true: ${check}`);
      await new Promise((go) => setTimeout(go, 20));
    }
  }

  // Requests of a kind, such as "POST /api/runs".
  asked(what) {
    return this.log.filter(({ method, path: at }) => `${method} ${at}`.startsWith(what));
  }

  // ---- HTTP ---------------------------------------------------------------------------------------------------

  async answer(request, response) {
    const url = new URL(request.url, this.url);
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const entry = { method: request.method, path: url.pathname, search: url.search, body: bytes };
    this.log.push(entry);
    const send = (status, type, body, extra = {}) => {
      response.writeHead(status, { "Content-Security-Policy": POLICY, "Content-Type": type, "Cache-Control": "no-store", ...extra });
      response.end(body);
    };
    const json = (value, status = 200) => send(status, "application/json; charset=utf-8", JSON.stringify(value));
    try {
      if (request.method !== "GET" && request.headers["x-occlude"] !== "1") throw new Refusal("the header X-Occlude: 1 is missing", null, 403);
      const name = decodeURIComponent(request.headers["x-name"] ?? "");
      const at = `${request.method} ${url.pathname}`;
      if (request.method === "GET" && !url.pathname.startsWith("/api/")) return this.file(url.pathname, send);
      if (at === "GET /api/state") return json(this.state());
      if (at === "GET /api/labels") return json(this.labels(url.searchParams));
      if (at === "GET /api/tensors") return json({ tensors: [{ name: "/conv1/Relu_output_0", shape: [8, 16, 16], operator: "Conv" }] });
      if (at === "POST /api/models") return json(this.addModel(name, bytes).describe());
      if (at === "POST /api/inputs") return json(this.describe(this.readInput(name, bytes, url.searchParams)));
      if (at === "POST /api/runs") return json({ run: this.run(JSON.parse(bytes)).id });
      if (at === "POST /api/probe") return json(await this.probe(JSON.parse(bytes)));
      const [, id, what] = /^\/api\/runs\/(r\d+)(?:\/(.+))?$/.exec(url.pathname) ?? [];
      const run = this.runs.get(id);
      if (!run) throw new Refusal(`there is no ${url.pathname}`, null, 404);
      if (request.method === "DELETE") {
        run.end("cancelled");
        response.writeHead(204, { "Content-Security-Policy": POLICY });
        return response.end();
      }
      if (what === "events") return this.listen(run, request, response);
      return this.download(run, what, send);
    } catch (error) {
      if (!(error instanceof Refusal)) console.error(error);
      return json({ error: error.message, hint: error.hint ?? null }, error.status ?? 500);
    }
  }

  file(pathname, send) {
    const name = pathname === "/" ? "page.html" : path.basename(pathname);
    try {
      return send(200, TYPES[name.split(".").at(-1)] ?? "text/plain", readFileSync(path.join(report, name)));
    } catch {
      return send(404, "text/plain", "not found");
    }
  }

  state() {
    return {
      version: "0.0",
      models: this.models.map((model) => model.describe()),
      input: this.named ? this.describe(this.named) : null,
      settings: this.settings,
      limits: LIMITS,
    };
  }

  describe(input) {
    const { height, width } = input.model;
    const { id, name, picture } = input;
    return { id, name, model: input.model.id, width, height, picture, notes: [`resized to ${width} × ${height}`], shape: [3, height, width] };
  }

  labels(query) {
    const { classes } = this.model(query.get("model"));
    const found = classes.map((name, index) => ({ index, name })).filter(({ name }) => name.includes(query.get("q").toLowerCase()));
    return { labels: found.slice(0, 20), total: found.length };
  }

  model(id) {
    const model = this.models.find((one) => one.id === id);
    if (!model) throw new Refusal(`there is no model "${id}"`, `the models are ${this.models.map((one) => one.id).join(", ")}`, 404);
    return model;
  }

  input(id) {
    const input = this.inputs.get(id);
    if (!input) throw new Refusal(`there is no input "${id}"`, "choose a picture again", 404);
    return input;
  }

  addModel(name, bytes) {
    if (bytes[0] !== 8) throw new Refusal(`${name} is not an ONNX model: its first byte is ${bytes[0]}`, "export the model with torch.onnx.export or tf2onnx");
    const model = new Linear({ id: `m${this.models.length + 1}`, name: name.replace(/\.onnx$/, ""), height: 16, width: 16, classes: NAMES.slice(0, 4), seed: bytes.length });
    this.models.push(model);
    return model;
  }

  // The file itself, or the server's own one for another model.
  readInput(name, bytes, query) {
    const model = this.model(query.get("model"));
    if (!query.has("from")) return this.addInput(name, bytes, model);
    if (query.get("from") !== this.named?.id) throw new Refusal(`"${query.get("from")}" is not the input of the command line`, "send the file itself");
    return this.addInput(this.named.name, this.named.bytes, model);
  }

  addInput(name, bytes, model) {
    const isPng = bytes.subarray(1, 4).toString() === "PNG";
    if (!isPng && bytes[0] !== 0xff) throw new Refusal(`${name} is not a picture: it begins with "${bytes.subarray(0, 4).toString("latin1")}"`, "PNG, JPEG, WebP, TIFF, BMP and .npy are read");
    const input = { id: `i${this.inputs.size + 1}`, name, model, bytes };
    input.picture = `data:image/${isPng ? "png" : "jpeg"};base64,${bytes.toString("base64")}`;
    input.values = valuesOf(bytes, model.height, model.width);
    input.scale = [64 / model.height, 64 / model.width];
    this.inputs.set(input.id, input);
    return input;
  }

  question({ model, input, settings }) {
    const chosen = this.model(model);
    const given = this.input(input);
    if (given.model !== chosen) throw new Refusal(`the input "${input}" was read for another model`, "send the file again for this model");
    return new Question(chosen, given, settings);
  }

  async probe(body) {
    if (this.isBusy) throw new Refusal("too many windows by hand at once", "try again in a moment", 503);
    const answer = this.question(body).probe(body.start);
    this.probes.open += 1;
    this.probes.most = Math.max(this.probes.most, this.probes.open);
    if (this.holdProbes) await new Promise((go) => this.probes.held.push(go));
    this.probes.open -= 1;
    return answer;
  }

  // ---- runs ---------------------------------------------------------------------------------------------------

  run(body) {
    const question = this.question(body);
    for (const run of this.runs.values()) if (run?.tab === body.tab && run.slot === body.slot) run.end("replaced");
    const run = new Run(`r${this.runs.size + 1}`, question, body);
    this.runs.set(run.id, run);
    this.compute(run);
    return run;
  }

  async compute(run) {
    while (this.queueAhead > 0 && !run.ended) {
      run.state = ["queued", { ahead: this.queueAhead }];
      run.send(...run.state);
      await this.wake();
    }
    if (run.ended) return;
    run.state = null;
    run.send("feed", run.feed());
    for (const cell of run.question.order()) {
      while (this.permits <= 0 && !run.ended) {
        run.flush();
        await this.wake();
      }
      if (run.ended) return;
      this.permits -= 1;
      run.take(run.question.result(cell));
      if (run.waiting.length >= this.batch) {
        run.flush();
        await new Promise((go) => setTimeout(go, this.pause));
      }
    }
    run.flush();
    run.end("done");
  }

  advance(ahead) {
    this.queueAhead = ahead;
    this.allow(0);
  }

  wake() {
    return new Promise((go) => (this.wakers = [...(this.wakers ?? []), go]));
  }

  listen(run, request, response) {
    response.writeHead(200, { "Content-Security-Policy": POLICY, "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write("retry: 100\n\n");
    this.streams.add(response);
    run.listeners.add(response);
    response.on("close", () => {
      this.streams.delete(response);
      run.listeners.delete(response);
    });
    if (run.ended) run.send(...run.ended);
    else if (run.state) run.send(...run.state);
    else run.send("feed", run.feed());
  }

  download(run, what, send) {
    const extension = /^map\.(npy|npz|json|png|html)$/.exec(what)?.[1];
    if (!extension) throw new Refusal(`there is no ${what}`, null, 404);
    const { question } = run;
    const grid = question.starts.map((s) => s.length);
    const numbers = question.targets.flatMap((_, t) =>
      Array.from({ length: question.cells }, (_, cell) => (run.results.has(cell) ? Math.fround(question.baselines[t] - run.results.get(cell).occluded[t]) : NaN)),
    );
    const body = extension === "npy" ? npy(question.targets.length > 1 ? [question.targets.length, ...grid] : grid, numbers) : JSON.stringify(run.feed());
    send(200, "application/octet-stream", body, { "Content-Disposition": `attachment; filename="map.${extension}"` });
  }
}

class Run {
  constructor(id, question, { tab, slot }) {
    Object.assign(this, { id, question, tab, slot, results: new Map(), waiting: [], listeners: new Set(), ended: null, state: null });
  }

  feed() {
    return this.question.feed(this.results);
  }

  take(result) {
    this.results.set(result.cell, result);
    this.waiting.push(result);
  }

  flush() {
    if (this.waiting.length === 0) return;
    const windows = this.waiting.splice(0);
    if (this.question.joined) this.send("feed", this.feed());
    const total = this.question.cells;
    const classes = this.question.names(windows.map((window) => window.most_probable));
    this.send("windows", { windows: this.question.joined ? [] : windows, classes, done: this.results.size, total, left_secs: (total - this.results.size) / 100 });
  }

  end(why) {
    if (this.ended) return;
    this.ended = why === "done" ? ["done", { feed: this.feed(), secs: 0.5 }] : ["stopped", { feed: this.results.size ? this.feed() : null, why }];
    this.send(...this.ended);
    for (const listener of this.listeners) listener.end();
  }

  send(event, data) {
    for (const listener of this.listeners) {
      listener.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      if (this.ended) listener.end();
    }
  }
}

// A PNG with a soft pattern; `seed` makes another one.
export function plainPicture(width, height, seed = 1) {
  const rows = Buffer.alloc((1 + 3 * width) * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const shade = (phase) => Math.round(128 + 100 * Math.sin((x * (seed + 1) + y * phase) / 11));
      rows.set([shade(1), shade(2), shade(3)], y * (1 + 3 * width) + 1 + 3 * x);
    }
  }
  const chunk = (name, body) => {
    const data = Buffer.concat([Buffer.from(name, "latin1"), body]);
    const whole = Buffer.alloc(data.length + 8);
    whole.writeUInt32BE(body.length, 0);
    data.copy(whole, 4);
    whole.writeUInt32BE(crc32(data), data.length + 4);
    return whole;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

// The check sum of PNG chunks (node:zlib has one only from 20.15 on).
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stand = new StandIn();
  if (process.argv.includes("slow")) Object.assign(stand, { batch: 1, pause: 150 });
  await stand.start(Number(process.argv[2] ?? 8123));
  console.log(stand.url);
}
