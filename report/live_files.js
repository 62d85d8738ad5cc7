// Files that reach a live page: dropped anywhere, chosen by a button, pasted from the clipboard.
// In: the reader's files. Out: `on.picture(file)`, `on.model(file)`, or `on.refused(error)` for what is too large to be
// sent at all. Reports (.html) are left to the page, which compares them. Not here: sending (live.js).

"use strict";

class LiveFiles {
  constructor(on) {
    this.on = on;
    this.limits = {};
    const choose = (button, field, take) => {
      byId(button).addEventListener("click", () => byId(field).click());
      byId(field).addEventListener("change", () => {
        const [file] = byId(field).files;
        if (file) take(file);
        byId(field).value = ""; // the same file can be chosen again
      });
    };
    choose("live-choose", "live-picture-file", (file) => this.take(file));
    choose("live-open", "live-model-file", (file) => this.take(file));
    this.listenToDrops();
    document.addEventListener("paste", (event) => {
      const [file] = event.clipboardData?.files ?? [];
      if (!file) return; // text goes where it was pasted
      event.preventDefault();
      this.take(file);
    });
  }

  listenToDrops() {
    // Children of the page send enter and leave too: what counts is how deep the pointer is in.
    let depth = 0;
    const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    const show = (isOver) => (byId("live-drop").hidden = !isOver);
    const on = (name, take) => document.addEventListener(name, (event) => carriesFiles(event) && take(event), true);
    on("dragenter", (event) => {
      event.preventDefault();
      depth += 1;
      show(true);
    });
    on("dragleave", () => {
      depth = Math.max(0, depth - 1);
      if (depth === 0) show(false);
    });
    on("dragover", (event) => event.preventDefault());
    on("drop", (event) => {
      depth = 0;
      show(false);
      const [file] = event.dataTransfer.files;
      if (!file || /\.html?$/i.test(file.name)) return;
      event.preventDefault();
      event.stopPropagation();
      this.take(file);
    });
  }

  take(file) {
    const isModel = /\.onnx$/i.test(file.name);
    const limit = isModel ? this.limits.model_bytes : this.limits.upload_bytes;
    if (limit && file.size > limit) {
      const error = new Error(`${file.name} has ${sizeText(file.size)}; this server takes ${isModel ? "models" : "files"} of at most ${sizeText(limit)}.`);
      error.hint = isModel ? "Name the model on the command line instead: occlude serve MODEL" : "Save it smaller: the model sees a reduced picture anyway.";
      return this.on.refused(error);
    }
    if (isModel) this.on.model(file);
    else this.on.picture(file);
  }
}
