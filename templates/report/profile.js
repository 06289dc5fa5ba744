/* SPDX-License-Identifier: Apache-2.0 */

"use strict";
(() => {
  const ROW = 26, HUES = 7, THIN = 12, LEAST = 0.5;
  const data = JSON.parse(document.getElementById("data").textContent);
  const flame = document.getElementById("flame");
  const detail = document.getElementById("detail");
  const reset = document.getElementById("reset");

  const frames = data.frames.map((frame, id) => ({ ...frame, id, children: [], start: 0, depth: 0 }));
  for (const frame of frames) {
    if (frame.parent < 0) continue;
    const parent = frames[frame.parent];
    const left = parent.children.at(-1);
    frame.start = left ? left.start + left.cycles : parent.start;
    frame.depth = parent.depth + 1;
    parent.children.push(frame);
  }
  const root = frames[0];
  const rows = 1 + frames.reduce((most, frame) => Math.max(most, frame.depth), 0);
  const boxes = new Map();
  let zoomed = root, current = root;

  const number = (value) => value.toLocaleString("en-US");
  const share = (value, whole) => (100 * value / Math.max(1, whole)).toFixed(1) + " %";
  const isAncestor = (frame, of) => {
    for (let each = of; each !== undefined; each = frames[each.parent]) if (each === frame) return true;
    return false;
  };
  const colour = (frame) => {
    if (frame.depth < 2) return frame.depth ? "layer" : "model";
    let hash = 0;
    for (const letter of frame.name) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
    return "h" + hash % HUES;
  };
  const describe = (frame) => {
    const parts = [
      frame.name,
      `${number(frame.cycles)} cycles, ${share(frame.cycles, root.cycles)}`,
      `${(1e3 * frame.cycles / data.clock_hz).toFixed(3)} ms`,
    ];
    if (frame.depth > 1) parts.push(`${number(frame.calls)} call${frame.calls === 1 ? "" : "s"}`);
    if (frame.children.length) parts.push(`${number(frame.self_cycles)} self`);
    return parts.join(" · ");
  };

  function draw() {
    const width = flame.clientWidth;
    const scale = width / Math.max(1, zoomed.cycles);
    flame.style.height = rows * ROW + "px";
    for (const frame of frames) {
      const above = frame !== zoomed && isAncestor(frame, zoomed);
      const left = above ? 0 : (frame.start - zoomed.start) * scale;
      const size = above ? width : frame.cycles * scale;
      const shown = (above || isAncestor(zoomed, frame)) && (size >= LEAST || frame === root);
      let box = boxes.get(frame);
      if (!shown) {
        if (box) box.hidden = true;
        continue;
      }
      if (!box) {
        box = document.createElement("button");
        box.type = "button";
        box.textContent = frame.name;
        box.dataset.frame = frame.id;
        box.setAttribute("role", "treeitem");
        box.setAttribute("aria-level", frame.depth + 1);
        box.setAttribute("aria-label", describe(frame));
        boxes.set(frame, box);
        flame.append(box);
      }
      box.hidden = false;
      box.className = `frame ${colour(frame)}${above ? " above" : ""}${size < THIN ? " thin" : ""}`;
      box.tabIndex = frame === current ? 0 : -1;
      box.style.left = left + "px";
      box.style.top = frame.depth * ROW + "px";
      box.style.width = Math.min(size, width) + "px";
    }
    reset.disabled = zoomed === root;
  }
  function focus(frame) {
    if (!frame || !boxes.has(frame) || boxes.get(frame).hidden) return;
    boxes.get(current).tabIndex = -1;
    current = frame;
    boxes.get(frame).tabIndex = 0;
    boxes.get(frame).focus();
  }
  function zoom(frame) {
    boxes.get(current).tabIndex = -1;
    zoomed = current = frame;
    draw();
    detail.textContent = describe(frame);
  }
  const frameOf = (event) => {
    const box = event.target.closest(".frame");
    return box ? frames[Number(box.dataset.frame)] : undefined;
  };
  const beside = (frame, step) => {
    const row = frames
      .filter((each) => each.depth === frame.depth && boxes.has(each) && !boxes.get(each).hidden)
      .sort((one, other) => one.start - other.start);
    return row[row.indexOf(frame) + step];
  };
  const largest = (frame) =>
    frame.children.reduce((most, each) => (!most || each.cycles > most.cycles ? each : most), undefined);

  flame.addEventListener("click", (event) => {
    const frame = frameOf(event);
    if (!frame) return;
    zoom(frame);
    focus(frame);
  });
  for (const kind of ["mouseover", "focusin"]) {
    flame.addEventListener(kind, (event) => {
      const frame = frameOf(event);
      if (frame) detail.textContent = describe(frame);
    });
  }
  flame.addEventListener("mouseleave", () => { detail.textContent = describe(zoomed); });
  flame.addEventListener("keydown", (event) => {
    const frame = frameOf(event);
    if (!frame) return;
    const moves = {
      ArrowUp: () => focus(frames[frame.parent]),
      ArrowDown: () => focus(largest(frame)),
      ArrowLeft: () => focus(beside(frame, -1)),
      ArrowRight: () => focus(beside(frame, 1)),
      Home: () => focus(root),
      Escape: () => { zoom(root); focus(frame); },
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  });
  reset.addEventListener("click", () => zoom(root));
  new ResizeObserver(draw).observe(flame);
  draw();
  detail.textContent = describe(root);
})();
