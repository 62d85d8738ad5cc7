// The live page's life: what the server has, what the reader asks, the run of that, and the feed of it on the page.
// In: the server's state, the form, files, the address. Out: runs started, stopped and started anew; words on where
// things are. Nothing that was computed leaves the page before something new is there to take its place.
// Not here: the form (live_form.js), a run's events (live_run.js), the address (live_address.js), files (live_files.js),
// the window by hand (by_hand.js).

"use strict";

class Live {
  constructor() {
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    this.tab = [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
    this.known = null; // the server's state
    this.model = null;
    this.input = null; // {id, name, ...}: of an address only the id is known until its map comes
    this.sent = new Map(); // inputs that this page made, by id: {input, file}
    this.held = null;
    this.feed = null; // of the first map
    this.renewed = null; // what was asked anew because the server knew it no more
    const refused = (error) => this.refuse(error);
    this.form = new LiveForm({ changed: (when) => (when === "now" ? this.later.now() : this.later()) });
    this.later = afterPause(350, () => this.change());
    this.files = new LiveFiles({ picture: (file) => this.sendPicture(file), model: (file) => this.sendModel(file), refused });
    this.hand = new ByHand(() => this.asked(), {
      moved: (start) => this.address.writeHand(start),
      toggled: () => this.fold(),
      refused: (error) => {
        this.refuse(error);
        this.isOfHand = true;
      },
      answered: () => this.isOfHand && this.clearError(),
    });
    this.run = new LiveRun("a", this.tab, {
      feed: (feed, isLast) => this.take(feed, isLast),
      windows: (windows, classes) => this.feed?.add(windows, classes),
      state: (run) => this.sayWhere(run),
      refused: (error, asked) => this.refuse(error, asked),
      vanished: () => this.again(),
    });
    this.second = new LiveRun("b", this.tab, {
      feed: (feed) => this.showHeld(new Feed(feed)),
      windows: (windows, classes) => this.heldFeed?.add(windows, classes),
      state: () => {},
      refused: (error) => {
        this.letGo();
        this.refuse(error);
      },
      vanished: () => {},
    });
    this.listen();
  }

  listen() {
    byId("live-model").addEventListener("change", () => this.chooseModel(this.known.models.find(({ id }) => id === byId("live-model").value)));
    byId("live-stop").addEventListener("click", () => (this.run.isRunning ? this.run.stop() : this.start()));
    byId("live-hold").addEventListener("click", () => (this.held ? this.letGo() : this.hold()));
    byId("second-remove").addEventListener("click", () => this.held && this.letGo());
    this.narrow = matchMedia("(max-width: 760px)");
    this.narrow.addEventListener("change", () => this.fold());
    this.fold();
    addEventListener("pagehide", () => {
      this.wasRunning = this.run.isRunning;
      this.run.abandon();
      this.second.abandon();
    });
    addEventListener("pageshow", (event) => {
      if (event.persisted && this.wasRunning) this.start();
    });
  }

  // Settings are folded where there is little room: on small screens, and beside the answer of the window by hand.
  fold() {
    byId("live-fold").open = !this.narrow.matches && !this.hand.isOn;
  }

  // ---- the beginning ------------------------------------------------------------------------------------------

  async begin() {
    try {
      this.known = await askServer("/api/state");
    } catch (error) {
      return this.refuse(error);
    }
    this.clearError();
    this.files.limits = this.known.limits ?? {};
    this.address ??= new LiveAddress(this.known, () => this.follow());
    this.address.known = this.known;
    this.follow();
  }

  // Asks what the address says: at first, and when the reader goes back or forward.
  follow() {
    const asked = this.address.read();
    const model = this.known.models.find(({ id }) => id === asked.model) ?? this.known.models[0] ?? null;
    if (asked.model && model?.id !== asked.model) this.notice(`The server has no model "${asked.model}" any more; taken is ${model?.name ?? "none"}.`);
    this.model = model;
    const named = this.known.input;
    if (!asked.input) this.input = named?.model === model?.id ? named : null;
    else if (asked.input === named?.id) this.input = named;
    else if (asked.input !== this.input?.id) this.input = this.sent.get(asked.input)?.input ?? { id: asked.input, name: "the input of this address", isUnnamed: true };
    this.showModels();
    this.form.fill(asked.settings);
    if (asked.hand) this.hand.start = asked.hand;
    this.opensByHand = asked.hand !== null;
    if (JSON.stringify(asked.held) !== JSON.stringify(this.held)) {
      if (asked.held) this.second.start(asked.held.model, asked.held.input, asked.held.settings);
      else this.dropHeld();
      this.held = asked.held;
      this.nameHold();
    }
    this.start();
  }

  // Shows models and input in the form.
  showModels() {
    const { models } = this.known;
    byId("live-model").replaceChildren(...models.map(({ id, name, input }) => element("option", { value: id, textContent: name, title: input })));
    byId("live-model-field").hidden = models.length === 0;
    if (this.model) {
      byId("live-model").value = this.model.id;
      this.form.showModel(this.model, this.input);
    }
    byId("live-choose").disabled = !this.model;
    byId("live-choose").textContent = this.model?.takes_pictures === false ? "Choose an .npy file…" : "Choose a picture…";
    this.showInput();
  }

  showInput() {
    const { input, model } = this;
    byId("live-input").textContent = input ? input.name : "none yet";
    byId("live-empty").hidden = Boolean(input) && Boolean(model);
    const notes = [...(model?.notes ?? []), ...(input?.notes ?? [])];
    byId("live-notes-fold").hidden = notes.length === 0;
    byId("live-notes-count").textContent = `Notes on model and input (${notes.length})`;
    byId("live-notes").replaceChildren(...notes.map((text) => element("li", { textContent: text })));
  }

  // ---- what is asked ------------------------------------------------------------------------------------------

  asked() {
    if (!this.model || !this.input) return null;
    return { model: this.model.id, input: this.input.id, settings: this.form.settings };
  }

  // Something was changed in the form: a new run, if it makes a difference.
  change() {
    this.later.cancel();
    const asked = this.asked();
    if (!asked) return;
    const same = JSON.stringify(asked) === JSON.stringify(this.lastAsked);
    if (same) return;
    this.start(true);
  }

  start(isEntry = false) {
    const asked = this.asked();
    byId("live-stop").disabled = !asked;
    this.summarize();
    if (!asked) return;
    this.lastAsked = asked;
    this.address.write({ ...asked, held: this.held }, isEntry);
    this.clearError();
    this.run.start(asked.model, asked.input, asked.settings);
    this.hand.renew();
  }

  summarize() {
    const { settings } = this.form;
    const said = Object.entries(settings).map(([name, text]) => `${name} ${text}`);
    byId("live-summary").textContent = said.length > 0 ? `Settings: ${said.join(", ")}` : "Settings: all by default";
  }

  chooseModel(model) {
    // Classes and tensors of one model mean nothing in another.
    const { settings } = this.form;
    const { input } = this;
    const { file, from = this.known.input?.id === input?.id ? input?.id : undefined } = this.sent.get(input?.id) ?? {};
    if (!/^top\d+$/.test(settings.target ?? "top1")) delete settings.target;
    this.model = model;
    this.showModels();
    this.form.fill(settings);
    // An input is what one model reads of a file: the other one is given the file itself, if this page or the server has it.
    if (!input || input.model === model.id || input.isUnnamed) return this.start(true);
    if (file || from) return this.sendPicture(file, from);
    this.input = this.known.input?.model === model.id ? this.known.input : null;
    this.showInput();
    this.start(true);
    if (!this.input) this.notice(`${input.name} was read for another model. Drop or choose a picture for ${model.name}.`);
  }

  // ---- files --------------------------------------------------------------------------------------------------

  async send(file, what, take) {
    byId("live").setAttribute("aria-busy", "true");
    byId("live-where").textContent = `Reading ${file.name}…`;
    this.saySoftly(`Reading ${file.name}`);
    try {
      take(await what());
    } catch (error) {
      this.refuse(error);
      this.sayWhere(this.run);
    } finally {
      byId("live").removeAttribute("aria-busy");
    }
  }

  // A file of the reader's, or else the server's own input `from`, read for the chosen model.
  sendPicture(file, from) {
    const { model } = this;
    if (!model) return this.refuse(Object.assign(new Error("There is no model yet."), { hint: "Drop an .onnx file first." }));
    const address = `/api/inputs?${new URLSearchParams({ model: model.id, ...(from ? { from } : {}) })}`;
    const upload = () => askServer(address, { method: "POST", bytes: file, name: file?.name });
    this.uploads = (this.uploads ?? 0) + 1;
    const mine = this.uploads;
    return this.send(file ?? this.known.input, upload, (input) => {
      if (mine !== this.uploads || model !== this.model) return; // another picture was chosen meanwhile
      this.input = input;
      this.sent.set(input.id, { input, file, from });
      this.showModels();
      this.start(true);
    });
  }

  sendModel(file) {
    const upload = () => askServer("/api/models", { method: "POST", bytes: file, name: file.name });
    return this.send(file, upload, (model) => {
      this.known.models = [...this.known.models.filter(({ id }) => id !== model.id), model];
      this.chooseModel(model);
    });
  }

  // ---- what comes ---------------------------------------------------------------------------------------------

  take(info, isLast) {
    this.feed = new Feed(info);
    if (page) this.replace(this.feed);
    else page = new Page(this.feed);
    this.shownRun = this.run.id;
    this.renewed = null;
    if (this.input?.isUnnamed) this.input.name = info.input || this.input.name;
    this.showInput();
    this.form.target.name(this.feed.targets);
    this.hand.fit(this.feed);
    if (this.opensByHand) this.hand.toggle(true, false);
    this.opensByHand = false;
    byId("live-hold").disabled = false;
    if (this.heldFeed && !this.isHeldShown) this.showHeld(this.heldFeed);
    if (isLast && this.run.phase !== "failed") this.showFiles();
  }

  // Another feed for the page. Controls that are made anew keep the focus; of the same run also the slice that is seen
  // and the window that is pointed at stay.
  replace(feed) {
    const focused = document.activeElement;
    const { view, hovered } = page;
    page.show(feed);
    if (this.shownRun === this.run.id && feed.hasCellsOf(view.feed)) {
      page.view.fixed = view.fixed;
      page.hovered = hovered;
      page.refresh();
    }
    if (focused.isConnected) return;
    const sameRadio = `input[name="${CSS.escape(focused.name ?? "")}"][value="${CSS.escape(focused.value ?? "")}"]`;
    const same = focused.id ? byId(focused.id) : focused.type === "radio" ? document.querySelector(sameRadio) : null;
    same?.focus({ preventScroll: true });
  }

  showFiles() {
    const { id } = this.run;
    for (const kind of ["npy", "npz", "json", "png", "html"]) {
      const link = byId(`live-${kind}`);
      link.href = `/api/runs/${id}/map.${kind}`;
      link.download = `map.${kind}`;
    }
  }

  sayWhere(run) {
    const { phase, done, total, ahead } = run;
    const windows = (n) => `${n} window${n === 1 ? "" : "s"}`;
    const left = leftText(run.left);
    const words = {
      idle: "",
      starting: "Asking the server…",
      queued: ahead > 0 ? `Waiting: ${ahead} other${ahead === 1 ? "" : "s"} first` : "Waiting for its turn…",
      computing: `${done} of ${windows(total)}${left ? `, ${left}` : ""}`,
      done: `${windows(total)} in ${secondsText(run.secs ?? 0)}`,
      stopped: `Stopped at ${done} of ${windows(total)}. What was computed is kept.${run.why === "closed" ? " The server ended it, as nobody listened." : ""}`,
      failed: `Ended by an error at ${done} of ${windows(total)}.`,
      lost: "The connection broke; trying again…",
      gone: "The server does not answer.",
    };
    byId("live-where").textContent = words[phase];
    const bar = byId("live-progress");
    bar.max = Math.max(1, total);
    bar.value = phase === "done" ? bar.max : done;
    bar.hidden = ["idle", "gone"].includes(phase) || (total === 0 && phase !== "computing");
    byId("live-stop").textContent = run.isRunning || phase === "idle" ? "Stop" : "Run again";
    byId("live-stop").disabled = phase === "idle" || !this.asked();
    byId("page").classList.toggle("running", run.isRunning);
    byId("live-files").hidden = !["done", "stopped"].includes(phase) || !run.isStored;
    // Spoken: the turns, not every window.
    if (phase === "computing") this.saySoftly(`Computing ${windows(total)}`);
    else if (phase !== "starting" && phase !== "gone") this.saySoftly(words[phase]);
    if (phase === "gone") this.refuse(new Gone());
    else if (this.isGone && phase !== "lost") this.clearError();
  }

  saySoftly(text) {
    if (byId("live-said").textContent !== text) byId("live-said").textContent = text;
  }

  // ---- what goes wrong ----------------------------------------------------------------------------------------

  refuse(error, asked = null) {
    // An unknown model or input: the server was started again and has forgotten it.
    if (error.status === 404 && asked && this.renewed !== JSON.stringify(asked)) {
      this.renewed = JSON.stringify(asked);
      return this.fallBack(error);
    }
    const isGone = error instanceof Gone;
    this.showError(error.message, error.hint, isGone);
  }

  async fallBack(error) {
    try {
      Object.assign(this.known, await askServer("/api/state"));
    } catch (again) {
      return this.refuse(again);
    }
    const model = this.known.models.find(({ id }) => id === this.model.id) ?? this.known.models[0];
    const { known } = this;
    const { file } = this.sent.get(this.input?.id) ?? {};
    this.model = model;
    this.input = known.input;
    this.sent.clear(); // another server's
    this.showModels();
    if (file && model) return this.sendPicture(file);
    this.start();
    const instead = known.input ? `Shown is ${known.input.name}, named on the command line.` : "Choose a picture again.";
    this.notice(`The server does not know the input of this address: ${error.message}. ${instead}`);
  }

  showError(message, hint, isGone) {
    this.isGone = isGone;
    this.isOfHand = false; // whether the window by hand ran into it, and may take it away
    const box = byId("live-error");
    const parts = [element("p", { textContent: message })];
    if (hint) parts.push(element("p", { className: "live-hint", textContent: hint }));
    if (isGone) {
      const button = element("button", { type: "button", id: "live-again", textContent: "Try again" });
      button.addEventListener("click", () => this.again());
      parts.push(button);
    }
    // The same text again would be no news to a screen reader, and a button under the finger should stay.
    const text = parts.map((part) => part.textContent).join("\n");
    if (box.dataset.text === text) return;
    box.dataset.text = text;
    box.replaceChildren(...parts);
  }

  notice(text) {
    this.showError(text, null, false);
  }

  clearError() {
    this.isGone = false;
    this.isOfHand = false;
    delete byId("live-error").dataset.text;
    byId("live-error").replaceChildren();
  }

  // The server may be back, and may be another one: what it has is asked anew, the settings are the reader's.
  async again() {
    if (!this.known) return this.begin();
    try {
      Object.assign(this.known, await askServer("/api/state"));
    } catch (error) {
      return error instanceof Gone ? this.run.enter("gone") : this.refuse(error);
    }
    this.clearError();
    this.start();
  }

  // ---- two maps -----------------------------------------------------------------------------------------------

  hold() {
    this.held = this.run.asked;
    this.showHeld(this.feed);
    // A map in the making is finished in the second place, so that changing the first does not cut it off.
    if (!this.feed.info.complete && this.run.isRunning) this.second.start(this.held.model, this.held.input, this.held.settings);
    this.nameHold();
    this.address.write({ ...this.lastAsked, held: this.held }, true);
  }

  letGo() {
    this.dropHeld();
    this.nameHold();
    this.address.write({ ...this.lastAsked, held: null }, true);
  }

  dropHeld() {
    // The reader may have put another report there meanwhile.
    if (page?.second.given?.feed === this.heldFeed) page?.showSecond(null);
    this.held = null;
    this.heldFeed = null;
    this.isHeldShown = false;
    this.second.abandon();
  }

  showHeld(feed) {
    this.heldFeed = feed;
    this.isHeldShown = Boolean(this.held && page);
    if (!this.isHeldShown) return;
    const model = this.known.models.find(({ id }) => id === this.held.model);
    const said = Object.entries(this.held.settings).map(([name, text]) => `${name} ${text}`);
    const title = ["Held", ...(this.known.models.length > 1 && model ? [model.name] : []), ...said];
    page.showSecond(feed, title.join(", "));
  }

  nameHold() {
    byId("live-hold").textContent = this.held ? "Let go of the held map" : "Hold for comparison";
  }
}

const live = new Live();
live.begin();
