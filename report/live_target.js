// The field for the target: found by name, typed as an index or a tensor, as a combobox with a list (ARIA 1.2).
// In: what is typed, the server's labels and tensors. Out: `value`, the text that the setting takes ("967", "top5",
// "node:/conv1/Relu_output_0"), and a call when another one was chosen. Not here: what else can be set.

"use strict";

const GENERAL = [
  { value: "top1", text: "most probable" },
  { value: "top5", text: "five most probable" },
];
const TENSORS_SHOWN = 12;

class TargetField {
  constructor(onChange) {
    this.onChange = onChange;
    this.field = byId("live-target");
    this.list = byId("live-target-list");
    this.options = [];
    this.active = -1;
    this.chosen = { value: "", text: "" };
    this.tensors = null; // asked for when somebody looks for one
    this.searching = new Newest((query) => this.search(query));
    this.later = afterPause(150, () => this.searching.ask(this.field.value.trim()));
    this.field.addEventListener("input", () => {
      this.active = -1;
      this.later();
    });
    this.field.addEventListener("click", () => this.open());
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.field.addEventListener("blur", () => this.leave());
    // The field keeps the focus while the list is clicked.
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (option) this.take(this.options[[...this.list.querySelectorAll("[role=option]")].indexOf(option)]);
    });
  }

  showModel(model, input) {
    const key = `${model.id} ${input?.id ?? ""}`;
    if (key !== this.about) this.tensors = null;
    Object.assign(this, { model, input, about: key });
    const standard = GENERAL.find(({ value }) => value === model.defaults?.target);
    this.field.placeholder = standard?.text ?? model.defaults?.target ?? "";
  }

  get value() {
    return this.chosen.value;
  }

  set value(text) {
    const general = GENERAL.find(({ value }) => value === text);
    const known = this.options.find(({ value }) => value === text);
    this.chosen = { value: text, text: general?.text ?? known?.text ?? text };
    this.field.value = this.chosen.text;
  }

  // A map came: a class that was asked for by number is now known by name.
  name(targets) {
    const isOpen = document.activeElement === this.field;
    if (/^\d+$/.test(this.chosen.value) && targets.length === 1 && String(targets[0].index) === this.chosen.value && !isOpen) {
      this.chosen.text = targets[0].label;
      this.field.value = targets[0].label;
    }
  }

  // ---- the list -----------------------------------------------------------------------------------------------

  open() {
    this.field.select();
    this.searching.ask("");
  }

  async search(query) {
    const word = query.toLowerCase();
    const found = GENERAL.filter(({ value, text }) => word === "" || text.includes(word) || value.startsWith(word));
    let more = "";
    try {
      if (word !== "" && !word.startsWith("node:")) {
        if (/^\d+$/.test(word) && (!this.model.classes || Number(word) < this.model.classes)) found.push({ value: word, text: `class ${word}` });
        const { labels, total } = await askServer(`/api/labels?${new URLSearchParams({ model: this.model.id, q: query })}`);
        for (const { index, name } of labels) {
          const same = found.find(({ value }) => value === String(index));
          if (same) same.text = name;
          else found.push({ value: String(index), text: name, detail: String(index) });
        }
        if (total > labels.length) more = `${total - labels.length} more classes: type more of the name`;
      }
      if (word.length > 1 && this.input) {
        const part = word.replace(/^node:/, "");
        const tensors = (await this.askTensors()).filter(({ name }) => name.toLowerCase().includes(part));
        for (const { name, shape, operator } of tensors.slice(0, TENSORS_SHOWN)) {
          found.push({ value: `node:${name}`, text: `node:${name}`, detail: `activity, ${operator} ${shape.join(" × ")}` });
        }
        if (tensors.length > TENSORS_SHOWN) more = `${tensors.length - TENSORS_SHOWN} more tensors: type more of the name`;
      }
    } catch {
      more = "The server does not answer; what is typed is taken as it is.";
    }
    if (document.activeElement === this.field) this.showList(found, more);
  }

  async askTensors() {
    this.tensors ??= (await askServer(`/api/tensors?${new URLSearchParams({ model: this.model.id, input: this.input.id })}`)).tensors;
    return this.tensors;
  }

  showList(options, more) {
    this.options = options;
    this.active = Math.min(this.active, options.length - 1);
    const rows = options.map(({ text, detail }, i) => {
      const row = element("li", { id: `live-target-${i}` }, element("span", { textContent: text }));
      row.setAttribute("role", "option");
      if (detail) row.append(" ", element("small", { textContent: detail }));
      return row;
    });
    if (more || rows.length === 0) {
      const row = element("li", { className: "live-note", textContent: more || "Nothing is called that. Enter takes it as typed." });
      row.setAttribute("role", "presentation");
      rows.push(row);
    }
    this.list.replaceChildren(...rows);
    this.list.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
    this.mark();
  }

  mark() {
    [...this.list.querySelectorAll("[role=option]")].forEach((row, i) => {
      row.setAttribute("aria-selected", String(i === this.active));
      if (i === this.active) row.scrollIntoView({ block: "nearest" });
    });
    if (this.active >= 0) this.field.setAttribute("aria-activedescendant", `live-target-${this.active}`);
    else this.field.removeAttribute("aria-activedescendant");
  }

  close() {
    this.later.cancel();
    this.searching.forget();
    this.list.hidden = true;
    this.active = -1;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (this.list.hidden) return this.open();
      const count = this.options.length;
      if (count > 0) this.active = event.key === "ArrowDown" ? (this.active + 1) % count : (this.active <= 0 ? count : this.active) - 1;
      this.mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.take(this.options[this.list.hidden ? -1 : this.active] ?? this.typed());
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.preventDefault();
      this.field.value = this.chosen.text;
      this.close();
    }
  }

  // What is typed, as a target: something of the list if it is called that, else the text itself.
  typed() {
    const text = this.field.value.trim();
    if (text === this.chosen.text) return this.chosen;
    const same = [...GENERAL, ...this.options].find((option) => option.text.toLowerCase() === text.toLowerCase() || option.value === text);
    return same ?? { value: text, text };
  }

  // Leaving the field takes what cannot be a half-typed name; else it is as it was.
  leave() {
    const typed = this.typed();
    const isWhole = typed.value === "" || /^(top\d+|all|\d+(,.+)?|(node|output|segment|detect):.+)$/.test(typed.value);
    if (isWhole) this.take(typed);
    else this.field.value = this.chosen.text;
    this.close();
  }

  take(option) {
    const isNew = option.value !== this.chosen.value;
    this.chosen = { value: option.value, text: option.text };
    this.field.value = option.text;
    this.close();
    if (isNew) this.onChange();
  }
}
