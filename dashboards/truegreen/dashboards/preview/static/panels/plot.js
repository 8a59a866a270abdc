// The plot that lines and cells are drawn on: time axis, crosshair and zoom shared by all, annotations, tooltip, arrow keys.

import { h, ink, property } from "../dom.js";
import { clock, day, moment } from "../format.js";

const shared = { key: "truegreen", scales: ["x", null], setSeries: false, filters: { pub: (type) => type === "mousemove" || type === "mouseleave", sub: () => true } };
const FONT = '12px "DejaVu Sans", system-ui, sans-serif';
const room = ({ clientWidth, clientHeight }) => ({ width: Math.max(clientWidth, 80), height: Math.max(clientHeight, 60) });
const pen = document.createElement("canvas").getContext("2d");

/** How wide a text is on a plot, in CSS pixels. */
export const widthOf = (text) => { pen.font = FONT; return pen.measureText(text).width; };

function timeLabels(u, splits, axis, space, step) {
  return splits.map((at, index) => {
    const ms = at * 1000;
    if (u.valToPos(at, "x") > u.bbox.width / (u.pxRatio ?? devicePixelRatio) - 20) return ""; // half of it would be cut off
    const newDay = index === 0 ? false : day(ms) !== day(splits[index - 1] * 1000);
    return step >= 86400 || newDay ? day(ms).slice(5) : clock(ms, step < 60);
  });
}

/**
 * Draw on `box`.
 *
 * @param more `{series, y, yAxis, tip, paint, labels}`: uPlot's series and scale; `tip(index, u)` is rows `[{color, name, value}]`;
 *   `paint(u, ctx)` draws over the series and `labels(u, ctx)` over all, in canvas pixels.
 * @param context `{view, events, zoom, announce}`
 * @returns `{destroy, redraw, move, size, plot}`
 */
export function plotOn(box, { times, columns }, more, context) {
  const { view, zoom, announce } = context;
  const tip = h("div", { class: "tip", hidden: true });
  const [from, to] = [view.window.from / 1000, view.window.to / 1000];
  const axis = { stroke: () => property("--dim"), font: FONT, ticks: { show: false }, grid: { stroke: () => property("--grid"), width: 1 } };
  let over = false;
  const options = {
    ...room(box), legend: { show: false }, padding: [8, 8, 0, 0],
    scales: { x: { time: true, range: () => [from, to] }, y: more.y },
    axes: [{ ...axis, values: timeLabels, space: 64, size: 24, gap: 4 }, { ...axis, gap: 4, ...more.yAxis }],
    series: [{}, ...more.series],
    cursor: { sync: shared, drag: { x: true, y: false, setScale: false, dist: 4 }, points: { size: 6 }, y: false },
    hooks: {
      drawClear: [(u) => clipped(u, (ctx) => regions(u, ctx, context.events))],
      draw: [(u) => clipped(u, (ctx) => { more.paint?.(u, ctx); lines(u, ctx, context.events); more.labels?.(u, ctx); })],
      setSelect: [(u) => {
        const { left, width } = u.select;
        if (width < 4) return;
        const [a, b] = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
        u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        zoom(a * 1000, b * 1000);
      }],
      setCursor: [(u) => tell(u)],
    },
  };
  const plot = new uPlot(options, [times, ...columns], box);
  plot.over.append(tip);
  plot.over.addEventListener("mouseenter", () => { over = true; });
  plot.over.addEventListener("mouseleave", () => { over = false; tip.hidden = true; });

  function tell(u, focused = false) {
    if ((!over && !focused) || u.cursor.idx === null || u.cursor.idx === undefined) { tip.hidden = true; return []; }
    const rows = more.tip(u.cursor.idx, u);
    tip.replaceChildren(h("b", {}, moment(times[u.cursor.idx] * 1000)),
      ...rows.slice(0, 10).map(({ color, name, value }) => { const dot = h("i"); dot.style.background = color ?? "transparent"; return h("div", {}, dot, h("span", {}, name), h("span", {}, value)); }),
      rows.length > 10 ? h("em", {}, `and ${rows.length - 10} more`) : "");
    tip.hidden = false;
    const left = u.cursor.left + 14 + tip.offsetWidth > u.over.clientWidth ? u.cursor.left - 14 - tip.offsetWidth : u.cursor.left + 14;
    tip.style.transform = `translate(${Math.max(left, -60)}px, ${Math.min(8, u.over.clientHeight - tip.offsetHeight)}px)`;
    return rows;
  }

  return {
    plot,
    redraw: () => plot.redraw(false),
    size() {
      if (box.clientWidth > 0 && (box.clientWidth !== plot.width || box.clientHeight !== plot.height)) plot.setSize(room(box));
      plot.syncRect(true);
    },
    /** Arrow keys: one point on; Home and End: the first, the last. */
    move(key) {
      const at = plot.cursor.idx ?? times.length;
      const index = { ArrowLeft: at - 1, ArrowRight: at + 1 > times.length ? 0 : at + 1, Home: 0, End: times.length - 1 }[key];
      const idx = Math.min(Math.max(index, 0), times.length - 1);
      plot.setCursor({ left: plot.valToPos(times[idx], "x"), top: 10 }, false);
      plot.cursor.idx = idx;
      const rows = tell(plot, true);
      announce(`${clock(times[idx] * 1000)}: ${rows.slice(0, 8).map(({ name, value }) => `${name} ${value}`).join("; ") || "no data"}`);
    },
    destroy: () => plot.destroy(),
  };
}

function clipped(u, draw) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw(ctx);
  ctx.restore();
}

const across = (u, ms) => u.valToPos(ms / 1000, "x", true);

function regions(u, ctx, events) {
  ctx.globalAlpha = 0.1;
  for (const color of new Set(events.map((event) => event.color))) {
    ctx.beginPath(); // one area for each colour: two alerts at once are not twice as red
    for (const { from, to } of events.filter((event) => event.color === color && event.to > event.from)) ctx.rect(across(u, from), u.bbox.top, across(u, to) - across(u, from), u.bbox.height);
    ctx.fillStyle = ink(color);
    ctx.fill();
  }
}

function lines(u, ctx, events) {
  for (const { from, color, before } of events) {
    const x = Math.round(across(u, from)) + 0.5;
    if (before || x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
    ctx.strokeStyle = ink(color);
    ctx.lineWidth = u.pxRatio ?? devicePixelRatio;
    ctx.setLineDash([]);
    ctx.beginPath();
    ctx.moveTo(x, u.bbox.top);
    ctx.lineTo(x, u.bbox.top + u.bbox.height);
    ctx.stroke();
  }
}

/** A text on a plot's canvas at CSS size, whatever the screen's pixel ratio. */
export function write(u, ctx, text, x, y, color, align = "left", ground = "") {
  const ratio = u.pxRatio ?? devicePixelRatio;
  ctx.font = FONT.replace("12px", `${12 * ratio}px`);
  ctx.textAlign = align;
  ctx.textBaseline = "middle";
  if (ground) {
    const wide = ctx.measureText(text).width;
    ctx.fillStyle = ground;
    ctx.fillRect(align === "right" ? x - wide - 3 * ratio : x - 3 * ratio, y - 8 * ratio, wide + 6 * ratio, 16 * ratio);
  }
  ctx.fillStyle = color;
  ctx.fillText(text, x, y);
}
