// The settings of a live page as a form: what may be changed, what the server does where nothing is said.
// In: a model with its defaults and choices, settings by name as text. Out: settings by name as text, only those that
// were given; `on.changed("now" | "soon")` after each change. Not here: the target (live_target.js), files
// (live_files.js), what a change leads to (live.js). No value is checked here: the server knows, and says why.

"use strict";

const OTHER_FILL = "\u2026"; // the choice that opens a text field
const SELECTS = ["score", "shape", "border", "preset"];
const SIZES = ["window", "stride"];

class LiveForm {
  constructor(on) {
    this.on = on;
    this.model = null;
    this.target = new TargetField(() => on.changed("now"));
    const form = byId("live-form");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      on.changed("now");
    });
    // The page's own keys (digits, brackets) are letters here.
    byId("live").addEventListener("keydown", (event) => {
      if (event.target.matches("input:not([type=range]), textarea, select")) event.stopPropagation();
    });
    for (const name of SIZES) this.listenToSize(byId(`live-${name}`), byId(`live-${name}-slider`));
    for (const name of SELECTS) byId(`live-${name}`).addEventListener("change", () => this.chosen());
    byId("live-fill").addEventListener("change", () => {
      this.showFillText();
      if (byId("live-fill").value === OTHER_FILL) byId("live-fill-text").focus();
      else on.changed("now");
    });
    byId("live-fill-text").addEventListener("input", () => on.changed("soon"));
    byId("live-fill-text").addEventListener("change", () => on.changed("now"));
    byId("live-fill-colour").addEventListener("input", () => {
      const [r, g, b] = [1, 3, 5].map((at) => parseInt(byId("live-fill-colour").value.slice(at, at + 2), 16));
      byId("live-fill-text").value = `rgb:${r},${g},${b}`;
      on.changed("soon");
    });
    byId("live-more").addEventListener("change", () => on.changed("now"));
    byId("live-reset").addEventListener("click", () => {
      this.fill({});
      on.changed("now");
    });
  }

  listenToSize(field, slider) {
    field.addEventListener("input", () => {
      this.placeSliders();
      this.on.changed("soon");
    });
    field.addEventListener("change", () => this.on.changed("now"));
    slider.addEventListener("input", () => {
      field.value = slider.value;
      this.placeSliders();
      this.on.changed("soon");
    });
  }

  chosen() {
    this.describe();
    this.on.changed("now");
  }

  // Fits the form to a model, and to the sizes of the input where the model leaves them open.
  showModel(model, input) {
    this.model = model;
    this.lengths = (model.spatial ?? []).map((size, axis) => size ?? input?.shape?.at(axis - model.spatial.length) ?? null);
    this.target.showModel(model, input);
    const options = (name, more = []) => {
      const select = byId(`live-${name}`);
      const kept = select.value;
      const choices = (model.choices?.[name] ?? []).map((text) => element("option", { value: text, textContent: text }));
      select.replaceChildren(element("option", { value: "" }), ...choices, ...more);
      select.value = kept;
      if (select.selectedIndex < 0) select.value = "";
    };
    options("fill", [element("option", { value: OTHER_FILL, textContent: "a colour or number…" })]);
    for (const name of SELECTS) options(name);
    this.describe();
  }

  // Says what happens where nothing is given: the model's default, or the preset's choice.
  describe() {
    const { defaults = {}, choices = {} } = this.model;
    const preset = byId("live-preset").value;
    const byPreset = preset !== "" && preset !== "none";
    const first = (name) => (byPreset ? `as ${preset} does` : `${defaults[name] ?? choices[name]?.[0] ?? "default"} (default)`);
    for (const name of ["fill", "score", "shape", "border"]) byId(`live-${name}`).options[0].textContent = first(name);
    byId("live-preset").options[0].textContent = `${choices.preset?.[0] ?? "none"} (default)`;
    for (const name of SIZES) byId(`live-${name}`).placeholder = byPreset ? `as ${preset} does` : (defaults[name] ?? "");
    this.placeSliders();
    this.showFillText();
  }

  placeSliders() {
    const known = (this.lengths ?? []).filter((size) => size > 0);
    const most = known.length > 0 ? Math.min(...known) : 256;
    for (const name of SIZES) {
      const slider = byId(`live-${name}-slider`);
      const text = byId(`live-${name}`).value || this.model?.defaults?.[name] || "";
      slider.max = String(most);
      slider.value = String(parseInt(text.split("x").at(-1), 10) || 1);
      slider.setAttribute("aria-valuetext", text || "not given");
    }
  }

  showFillText() {
    byId("live-fill-other").hidden = byId("live-fill").value !== OTHER_FILL;
  }

  // Puts in settings; those that are not named are not given.
  fill(settings) {
    const left = { ...settings };
    const take = (name) => {
      const text = left[name] ?? "";
      delete left[name];
      return text;
    };
    this.target.value = take("target");
    for (const name of SIZES) byId(`live-${name}`).value = take(name);
    const fill = take("fill");
    const isListed = [...byId("live-fill").options].some((option) => option.value === fill);
    byId("live-fill").value = isListed ? fill : OTHER_FILL;
    byId("live-fill-text").value = isListed ? "" : fill;
    for (const name of SELECTS) {
      const text = take(name);
      const select = byId(`live-${name}`);
      if (![...select.options].some((option) => option.value === text)) select.append(element("option", { value: text, textContent: text }));
      select.value = text;
    }
    byId("live-more").value = Object.entries(left).map(([name, text]) => `${name}=${text}`).join("\n");
    byId("live-more-fold").open ||= byId("live-more").value !== "" || byId("live-border").value !== "";
    if (this.model) this.describe();
  }

  // What was given, by name. A line of "more" reads name=value, as on the command line also --name value.
  get settings() {
    const given = { target: this.target.value };
    for (const name of [...SIZES, ...SELECTS]) given[name] = byId(`live-${name}`).value.trim();
    const fill = byId("live-fill").value;
    given.fill = fill === OTHER_FILL ? byId("live-fill-text").value.trim() : fill;
    for (const line of byId("live-more").value.split("\n")) {
      const [, name, text] = /^\s*(?:--)?([\w-]+)\s*[=\s]\s*(.*?)\s*$/.exec(line) ?? [null, line.trim(), ""];
      if (name) given[name] = text;
    }
    return Object.fromEntries(Object.entries(given).filter(([, text]) => text !== ""));
  }
}
