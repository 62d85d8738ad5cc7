// One map in the making: asks the server for a run, follows its events, and says where it is.
// In: model, input and settings; the server's events. Out: `on.feed(feed object, isLast)`, `on.windows(windows, names of classes not known before)`,
// `on.state(run)` whenever `phase`, `done`, `total`, `left` or `ahead` change, `on.refused(error)`.
// A stream that breaks is taken up again by the browser, and the server then begins with the whole feed.
// Not here: the page, the form.

"use strict";

class LiveRun {
  constructor(slot, tab, on) {
    Object.assign(this, { slot, tab, on });
    this.id = null;
    this.asked = null; // what the run in the server's hands was asked
    this.events = null;
    this.starter = new Newest((asked) => this.post(asked));
    this.isUnwanted = false; // stopped while the server was being asked for it
    this.reset("idle");
  }

  // phase: idle, starting, queued, computing, done, stopped, failed, lost (the stream broke), gone (nobody answers).
  reset(phase) {
    Object.assign(this, { phase, done: 0, total: 0, left: null, ahead: 0, why: null, isStored: false });
  }

  get isRunning() {
    return ["starting", "queued", "computing", "lost"].includes(this.phase);
  }

  enter(phase, more = {}) {
    Object.assign(this, { phase, ...more });
    this.on.state(this);
  }

  // Starts anew. The server stops the run before it; if it refuses the new one, the one before goes on.
  start(model, input, settings) {
    this.isUnwanted = false;
    this.starter.ask({ model, input, settings });
  }

  async post(asked) {
    try {
      const { run } = await askServer("/api/runs", { method: "POST", json: { ...asked, tab: this.tab, slot: this.slot } });
      this.listen(run, asked);
      if (this.isUnwanted) await this.stop();
    } catch (error) {
      if (this.starter.hasNewer) return; // nobody wants to know any more
      if (error instanceof Gone) this.enter("gone");
      this.on.refused(error, asked);
    }
  }

  listen(id, asked) {
    this.leave();
    this.id = id;
    this.asked = asked;
    this.reset("starting");
    this.on.state(this);
    const events = new EventSource(`/api/runs/${id}/events`);
    this.events = events;
    let failures = 0;
    const on = (name, take) =>
      events.addEventListener(name, (event) => {
        if (this.events !== events) return;
        failures = 0;
        take(JSON.parse(event.data));
      });
    on("queued", ({ ahead }) => this.enter("queued", { ahead }));
    on("feed", (feed) => {
      this.on.feed(feed, false);
      this.enter("computing", { done: feed.computed, total: feed.windows ?? 0, left: null, isStored: true });
    });
    on("windows", ({ windows, classes, done, total, left_secs: left }) => {
      this.on.windows(windows, classes);
      this.enter("computing", { done, total, left });
    });
    on("done", ({ feed, secs }) => this.end("done", feed, { secs }));
    on("stopped", ({ feed, why }) => this.end("stopped", feed, { why }));
    on("failed", (failure) => {
      this.end("failed", failure.feed, {});
      this.on.refused(new Refused(0, failure), asked);
    });
    events.addEventListener("error", () => {
      if (this.events !== events) return;
      failures += 1;
      // The browser tries again by itself, unless it was answered that there is no such run, or the page is going away:
      // then it is left before the pause is over.
      if (events.readyState === EventSource.CLOSED) setTimeout(() => this.events === events && this.vanish(), 200);
      else if (failures > 1) this.enter("gone");
      else this.enter("lost");
    });
  }

  end(phase, feed, more) {
    this.leave();
    if (feed) {
      this.on.feed(feed, true);
      Object.assign(this, { done: feed.computed, total: feed.windows ?? this.total, isStored: true });
    }
    this.enter(phase, more);
  }

  // The server answers that it knows nothing of this run: it was started again.
  vanish() {
    this.leave();
    this.id = null;
    this.enter("lost");
    this.on.vanished(this);
  }

  leave() {
    this.events?.close();
    this.events = null;
  }

  // Ends the run; its part is kept. The server says so in the stream.
  async stop() {
    this.starter.forget();
    this.isUnwanted = this.starter.isBusy;
    if (!this.isRunning || !this.id) return;
    try {
      await askServer(`/api/runs/${this.id}`, { method: "DELETE" });
    } catch (error) {
      this.on.refused(error, this.asked);
    }
  }

  // The page goes away: nobody waits for an answer.
  abandon() {
    this.starter.forget();
    this.leave();
    if (this.isRunning && this.id) askServer(`/api/runs/${this.id}`, { method: "DELETE", keepalive: true }).catch(() => {});
  }
}

// Seconds that went by: "0.42 s", "3.1 s", "75 s".
function secondsText(seconds) {
  return `${seconds.toFixed(seconds < 1 ? 2 : seconds < 10 ? 1 : 0)} s`;
}

// Seconds in words, as they help to decide whether to wait.
function leftText(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 1) return "less than a second left";
  if (seconds < 90) return `about ${Math.round(seconds)} s left`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min left`;
  return `about ${Math.round(seconds / 3600)} h left`;
}
