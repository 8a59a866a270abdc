// The board as rows of panels: which are open, which are in sight, and when all that is in sight is drawn.

import { h } from "./dom.js";
import { panelOf } from "./panel.js";

/** Lay a board's panels into `main`; returns `{panels, load, redraw, stop}`. Panels ask when they come near the window. */
export function boardOf(board, app, main) {
  const panels = [];
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const panel = panels.find(({ node }) => node === target);
      panel.visible = isIntersecting;
      if (isIntersecting && panel.generation !== app.generation) panel.load();
    }
    app.settle();
  }, { rootMargin: "160px" });
  const sized = new ResizeObserver((entries) => { for (const { target } of entries) panels.find(({ body }) => body === target)?.size(); });
  const add = (json, grid, top) => {
    const panel = panelOf({ ...json, gridPos: { ...json.gridPos, y: json.gridPos.y - top } }, app);
    panels.push(panel);
    grid.append(panel.node);
    seen.observe(panel.node);
    sized.observe(panel.body);
  };

  main.replaceChildren(h("h1", {}, board.title.replace("truegreen / ", "")));
  let grid = null;
  let top = 0;
  const begin = (row) => {
    grid = h("div", { class: "grid", id: `row-${row?.id ?? 0}`, hidden: Boolean(row?.collapsed) });
    top = row ? row.gridPos.y + 1 : 0;
    const inside = grid;
    const toggle = row && h("button", { "aria-expanded": String(!row.collapsed), "aria-controls": grid.id, click: () => {
      inside.hidden = !inside.hidden;
      toggle.setAttribute("aria-expanded", String(!inside.hidden));
      for (const panel of panels) panel.size();
    } }, h("span", { "aria-hidden": "true" }, "▾ "), row.title);
    main.append(h("section", { class: "row" }, row && h("h2", {}, toggle), grid));
  };
  // As one reads, by rows: what stands beside a number stays there in a narrow window.
  const read = (list = []) => [...list].sort(({ gridPos: a }, { gridPos: b }) => a.y - b.y || a.x - b.x);
  for (const json of read(board.panels)) {
    if (json.type === "row") {
      begin(json);
      for (const below of read(json.panels)) add(below, grid, Math.min(...json.panels.map(({ gridPos }) => gridPos.y)));
    } else {
      if (!grid) begin(null);
      add(json, grid, top);
    }
  }

  return {
    panels,
    pending: () => panels.some((panel) => panel.visible !== false && (panel.generation !== app.generation || panel.node.dataset.state === "loading")),
    load: () => { for (const panel of panels) if (panel.visible) panel.load(); },
    redraw: (whole) => { for (const panel of panels) if (panel.generation) { if (whole && panel.node.dataset.state === "data") panel.draw(); else panel.redraw(); } },
    stop: () => { seen.disconnect(); sized.disconnect(); for (const panel of panels) panel.stop(); },
  };
}
