// The page of the five panels: builds the figures, draws the maps cell by cell, and reads them out under the pointer.
// In: the feed (schema "occlude.zeiler-page/1") in the page. Arrays are base64 of little-endian float32 or int32. All text is set
// as text. Cells not computed are NaN or -1 and are hatched. Nothing is fetched.

"use strict";

(() => {
  const feed = JSON.parse(document.getElementById("feed").textContent);
  if (feed.schema !== "occlude.zeiler-page/1") throw new Error(`this page reads occlude.zeiler-page/1, not ${feed.schema}`);
  const byId = (id) => document.getElementById(id);
  const [rows, cols] = [feed.rows.length - 1, feed.cols.length - 1];
  const words = (text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new DataView(bytes.buffer);
  };
  const floats = (text) => { const view = words(text); return Array.from({ length: view.byteLength / 4 }, (_, i) => view.getFloat32(4 * i, true)); };
  const whole = (text) => { const view = words(text); return Array.from({ length: view.byteLength / 4 }, (_, i) => view.getInt32(4 * i, true)); };
  const activity = { ...feed.activity, values: floats(feed.activity.values) };
  const probability = { ...feed.probability, values: floats(feed.probability.values) };
  const said = whole(feed.most_probable);

  const element = (tag, name, text) => {
    const made = document.createElement(tag);
    if (name) made.className = name;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  // Four significant digits, a true minus sign.
  const number = (value) => {
    if (value === null || Number.isNaN(value)) return "not computed";
    const size = Math.abs(value);
    let text = "0";
    if (size >= 1e-3 && size < 1e5) text = size.toFixed(Math.min(4, Math.max(0, 3 - Math.floor(Math.log10(size)))));
    else if (size > 0) text = size.toExponential(2).replace("e-", "e−").replace("e+", "e");
    return (value < 0 ? "−" : "") + text;
  };
  const signed = (value) => (value > 0 ? "+" : "") + number(value);

  const share = (map, value) => (map.range[1] > map.range[0] ? (value - map.range[0]) / (map.range[1] - map.range[0]) : 0);
  const ramped = (map) => (cell) => {
    const value = map.values[cell];
    if (Number.isNaN(value)) return null;
    return feed.ramp[Math.round(Math.min(1, Math.max(0, share(map, value))) * (feed.ramp.length - 1))];
  };
  const coloured = (cell) => (said[cell] < 0 ? null : feed.classes[said[cell]].colour);
  const kinds = [null, ramped(activity), null, ramped(probability), coloured];
  const maps = [null, activity, null, probability, null];

  byId("title").textContent = feed.title;
  byId("lead").textContent = feed.lead;
  byId("setup").textContent = feed.setup;
  if (feed.incomplete) {
    byId("incomplete").textContent = feed.incomplete;
    byId("incomplete").hidden = false;
  }

  // A place in fractions of a stage, as inline geometry through the style object (the policy forbids style attributes).
  const put = (box, [left, top, right, bottom]) => {
    Object.assign(box.style, { left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%` });
  };
  const windowOf = (cell) => {
    const along = (axis, i) => [axis.starts[i] / axis.length, axis.ends[i] / axis.length];
    const [top, bottom] = along(feed.axes[0], Math.floor(cell / cols));
    const [left, right] = along(feed.axes[1], cell % cols);
    return [left, top, right, bottom];
  };
  const cellOf = (cell) => {
    const [row, col] = [Math.floor(cell / cols), cell % cols];
    return [feed.cols[col], feed.rows[row], feed.cols[col + 1], feed.rows[row + 1]];
  };

  const figures = feed.names.map((name, place) => {
    const figure = element("figure");
    figure.id = "panel-" + "abcde"[place];
    const title = element("h3");
    title.append(element("span", "", `(${"abcde"[place]})`), name);
    const stage = element("div", "stage");
    stage.style.aspectRatio = `${feed.axes[1].length} / ${feed.axes[0].length}`;
    figure.append(title, stage);
    const made = { figure, stage, place };
    if (place === 0 || place === 2) {
      const image = element("img", place === 2 ? "crisp" : "");
      image.alt = feed.captions[place];
      image.src = place === 0 ? feed.picture : feed.projection;
      stage.append(image);
    } else {
      stage.tabIndex = 0;
      stage.setAttribute("role", "application");
      stage.setAttribute("aria-label", name);
      stage.setAttribute("aria-describedby", "help");
      made.canvas = element("canvas");
      stage.append(made.canvas);
      made.cursor = element("div", "cursor");
      made.cursor.hidden = true;
      stage.append(made.cursor);
    }
    if (maps[place]) {
      const strip = element("div", "strip");
      const ramp = element("canvas");
      const untouched = element("div");
      untouched.style.left = `${100 * share(maps[place], maps[place].untouched)}%`;
      untouched.title = "on the untouched input";
      made.now = element("div", "now");
      made.now.hidden = true;
      strip.append(ramp, untouched, made.now);
      const ends = element("div", "ends");
      ends.append(element("span", "", number(maps[place].range[0])), element("span", "", number(maps[place].range[1])));
      figure.append(strip, ends);
      ramp.width = feed.ramp.length;
      ramp.height = 1;
      const pen = ramp.getContext("2d");
      feed.ramp.forEach((colour, x) => { pen.fillStyle = colour; pen.fillRect(x, 0, 1, 1); });
    }
    if (place === 4) {
      const list = element("ul", "legend");
      made.legend = feed.legend.map(({ label, count, colour }) => {
        const item = element("li");
        const swatch = element("canvas");
        [swatch.width, swatch.height] = [1, 1];
        const pen = swatch.getContext("2d");
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        item.append(swatch, element("span", "", label), element("span", "", String(count)));
        list.append(item);
        return { item, colour };
      });
      figure.append(list);
    }
    figure.append(element("figcaption", "", feed.captions[place]));
    byId("panels").append(figure);
    return made;
  });

  const picture = figures[0].stage;
  const frames = feed.least.map((cell, i) => {
    if (cell === null) return null;
    const frame = element("div", i === 0 ? "frame" : "frame dashed");
    put(frame, windowOf(cell));
    picture.append(frame);
    return frame;
  });
  const occluder = element("div", "occluder");
  occluder.hidden = true;
  picture.append(occluder);
  const onProjection = element("div", "frame");
  onProjection.hidden = true;
  figures[2].stage.append(onProjection);

  function draw() {
    for (const { canvas, stage, place } of figures) {
      if (!canvas) continue;
      const ratio = window.devicePixelRatio || 1;
      canvas.width = Math.max(1, Math.round(stage.clientWidth * ratio));
      canvas.height = Math.max(1, Math.round(stage.clientHeight * ratio));
      const pen = canvas.getContext("2d");
      for (let cell = 0; cell < rows * cols; cell++) {
        const [left, top, right, bottom] = cellOf(cell);
        const [x, y] = [Math.round(left * canvas.width), Math.round(top * canvas.height)];
        const [width, height] = [Math.round(right * canvas.width) - x, Math.round(bottom * canvas.height) - y];
        const colour = kinds[place](cell);
        pen.fillStyle = colour ?? "#f2f2ee";
        pen.fillRect(x, y, width, height);
        if (colour === null) {
          pen.save();
          pen.beginPath();
          pen.rect(x, y, width, height);
          pen.clip();
          pen.strokeStyle = "#c4c4be";
          for (let at = -height; at < width; at += 8) { pen.beginPath(); pen.moveTo(x + at, y + height); pen.lineTo(x + at + height, y); pen.stroke(); }
          pen.restore();
        }
      }
    }
  }

  const place = (cell) => {
    const along = (axis, i) => {
      const edge = (e) => Math.round(axis.offset + axis.scale * e);
      return `${edge(axis.starts[i])}–${edge(axis.ends[i])}`.replace(/-/g, "−");
    };
    return `x ${along(feed.axes[1], cell % cols)}, y ${along(feed.axes[0], Math.floor(cell / cols))} ${feed.unit}`;
  };
  const entry = (name, value, more) => {
    const box = element("div");
    box.append(element("dt", "", name));
    const said = element("dd");
    said.append(element("span", "big", value));
    if (more) said.append(" ", element("small", "", more));
    box.append(said);
    return box;
  };
  let chosen = null;
  function choose(cell) {
    chosen = cell;
    const isOn = cell !== null;
    occluder.hidden = onProjection.hidden = !isOn;
    frames.forEach((frame) => { if (frame) frame.hidden = isOn; });
    for (const made of figures) {
      if (made.cursor) {
        made.cursor.hidden = !isOn;
        if (isOn) put(made.cursor, cellOf(cell));
      }
      if (made.now) {
        const value = isOn ? maps[made.place].values[cell] : NaN;
        made.now.hidden = Number.isNaN(value);
        if (!Number.isNaN(value)) made.now.style.left = `${100 * share(maps[made.place], value)}%`;
      }
      made.legend?.forEach(({ item, colour }) => item.classList.toggle("now", isOn && coloured(cell) === colour));
    }
    const reading = byId("reading");
    reading.replaceChildren();
    if (!isOn) {
      reading.append(
        entry("occluder", "nowhere", "the untouched input"),
        entry("(b) total activity", number(activity.untouched)),
        entry("(d) probability", number(probability.untouched)),
        entry("(e) most probable class", feed.untouched_class ?? "none"),
      );
      return;
    }
    put(occluder, windowOf(cell));
    put(onProjection, windowOf(cell));
    const against = (map) => (Number.isNaN(map.values[cell]) ? "" : `${signed(map.values[cell] - map.untouched)} from the untouched input`);
    const label = said[cell] < 0 ? "not computed" : feed.classes[said[cell]].label;
    reading.append(
      entry("occluder", place(cell)),
      entry("(b) total activity", number(activity.values[cell]), against(activity)),
      entry("(d) probability", number(probability.values[cell]), against(probability)),
      entry("(e) most probable class", label),
    );
  }

  const nearest = (edges, at) => {
    let found = 0;
    while (found + 2 < edges.length && at >= edges[found + 1]) found++;
    return found;
  };
  for (const { stage, canvas } of figures) {
    stage.addEventListener("pointermove", (event) => {
      const box = stage.getBoundingClientRect();
      const row = nearest(feed.rows, (event.clientY - box.top) / box.height);
      choose(row * cols + nearest(feed.cols, (event.clientX - box.left) / box.width));
    });
    stage.addEventListener("pointerleave", () => { if (document.activeElement !== stage) choose(null); });
    if (!canvas) continue;
    stage.addEventListener("blur", () => choose(null));
    stage.addEventListener("keydown", (event) => {
      const at = chosen ?? 0;
      const [row, col] = [Math.floor(at / cols), at % cols];
      const go = (r, c) => {
        choose(Math.min(rows - 1, Math.max(0, r)) * cols + Math.min(cols - 1, Math.max(0, c)));
        byId("spoken").textContent = byId("reading").innerText;
        event.preventDefault();
      };
      if (event.key === "ArrowLeft") go(row, chosen === null ? 0 : col - 1);
      else if (event.key === "ArrowRight") go(row, chosen === null ? 0 : col + 1);
      else if (event.key === "ArrowUp") go(row - 1, col);
      else if (event.key === "ArrowDown") go(chosen === null ? 0 : row + 1, col);
      else if (event.key === "Home") go(row, 0);
      else if (event.key === "End") go(row, cols - 1);
      else if (event.key === "Escape") choose(null);
    });
  }

  if (feed.command) {
    byId("command").hidden = false;
    byId("command").firstElementChild.textContent = feed.command;
  }
  for (const note of feed.notes) byId("notes").append(element("li", "", note));
  for (const [name, value] of feed.facts) byId("facts").append(element("dt", "", name), element("dd", "", value));

  byId("page").hidden = false;
  choose(null);
  draw();
  window.addEventListener("resize", draw);
})();
