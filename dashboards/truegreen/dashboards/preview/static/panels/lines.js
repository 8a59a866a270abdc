// A time series panel: lines, limits with their numbers, exemplars, and a legend that is a table.

import { h, ink, property, anchor } from "../dom.js";
import { legend } from "../fill.js";
import { field, summary } from "../frames.js";
import { brief, written } from "../format.js";
import { plotOn, widthOf, write } from "./plot.js";

const COLORS = 8;
const POWERS = Array.from({ length: 50 }, (_, power) => 2 ** power); // bytes are counted in 1024s
const lineColor = (rank) => property(`--line-${rank % COLORS}`);

export function draw(body, panel, answers, context) {
  const config = panel.fieldConfig;
  const unit = config.defaults?.unit ?? "";
  const steps = config.defaults?.custom?.thresholdsStyle?.mode === "off" ? [] : (config.defaults?.thresholds?.steps ?? []).filter(({ value }) => value !== null);
  const longest = answers.reduce((a, b) => (b.times.length > a.times.length ? b : a));
  let rank = 0;
  const series = answers.flatMap(({ target, series: found, times }) => found.map(({ labels, values }) => {
    const name = legend(target.legendFormat, labels);
    const options = field(config, name);
    const own = options.color?.mode === "fixed";
    const place = own ? -1 : rank++;
    return {
      name, labels, options, ...summary(values), values: onGrid(longest, { times, values }),
      color: () => (own ? ink(options.color.fixedColor) : lineColor(place)),
      dash: options.custom.lineStyle?.fill === "dash" ? options.custom.lineStyle.dash : place >= COLORS ? [10, 3, 2, 3] : undefined,
    };
  })).filter((one) => one.values.some((value) => value !== null));
  if (!series.length) return null;

  const box = h("div", { class: "plot" });
  const rows = h("tbody");
  body.append(box, series.length > 1 || series[0].name !== panel.title ? legendTable(rows) : "");
  const traces = [];
  const made = plotOn(box, { times: longest.times, columns: series.map(({ values }) => values) }, {
    series: series.map(({ name, color, dash }) => ({ label: name, stroke: color, width: 1.5, dash, spanGaps: false, points: { size: 4 } })),
    y: { range: (u, low, high) => axisRange(low, high, config.defaults) },
    yAxis: { ...(/bytes$/.test(unit) ? { incrs: POWERS } : {}), values: (u, splits) => splits.map((value) => brief(tidy(value), unit)), size: (u, texts) => 10 + Math.max(20, ...(texts ?? []).map(widthOf)), space: 32 },
    tip: (index) => series.filter(({ hidden, values }) => !hidden && values[index] !== null).sort((a, b) => b.values[index] - a.values[index])
      .map(({ name, values, color }) => ({ name, value: written(values[index], unit), color: color() })),
    paint: (u, ctx) => diamonds(u, ctx, traces),
    labels: (u, ctx) => limits(u, ctx, steps, unit),
  }, context);

  // One line alone, or all; a renewal keeps it.
  const show = () => {
    const alone = series.some(({ name }) => name === context.memory.alone);
    series.forEach((one, index) => {
      one.hidden = alone && one.name !== context.memory.alone;
      made.plot.setSeries(index + 1, { show: !one.hidden }, false);
    });
    for (const row of rows.children) row.querySelector("button").setAttribute("aria-pressed", String(!series[row.dataset.at].hidden));
  };
  series.map((one, index) => ({ one, index })).sort((a, b) => (b.one.last ?? -Infinity) - (a.one.last ?? -Infinity)).forEach(({ one, index }) => {
    const swatch = h("i");
    swatch.style.color = one.color();
    if (one.dash) swatch.classList.add("dashed");
    const button = h("button", {
      title: `${one.name}: show it alone, or all`,
      click: () => {
        context.memory.alone = context.memory.alone === one.name ? null : one.name;
        show();
      },
    }, swatch, one.name);
    const links = (one.options.links ?? []).map((each) => anchor(context.link(each.url, one), "↗", each.title));
    rows.append(h("tr", { data: { at: index } },
      h("th", { scope: "row" }, button, links), ...[one.mean, one.last, one.max].map((value) => h("td", {}, written(value, unit)))));
  });

  show();
  made.size();
  return { ...made, exemplars(found) { traces.splice(0, traces.length, ...found); made.redraw(); } };
}

const tidy = (value) => Number(value.toPrecision(12));

function legendTable(rows) {
  return h("div", { class: "legend", tabindex: -1 }, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, h("span", { class: "unseen" }, "Series")),
    ...["mean", "last", "max"].map((name) => h("th", { scope: "col" }, name)))), rows));
}

// A column of another step on the grid of the longest: each point at its own time.
function onGrid(longest, { times, values }) {
  const column = new Array(longest.times.length).fill(null);
  times.forEach((at, index) => { column[Math.round((at - longest.times[0]) / longest.step)] = values[index]; });
  return column.slice(0, longest.times.length);
}

function axisRange(low, high, { min, max, unit }) {
  const flat = unit === "percentunit" ? 0.1 : 1;
  let [bottom, top] = [min ?? low ?? 0, max ?? high ?? flat];
  if (top <= bottom) top = bottom + (Math.abs(bottom) * 0.2 || flat);
  const room = (top - bottom) * 0.08;
  return [min ?? (bottom >= 0 && bottom - room < 0 ? 0 : bottom - room), max ?? top + room];
}

// A limit is a dashed line with its number at the right edge; one that lies above or below what is drawn is named there with an arrow.
function limits(u, ctx, steps, unit) {
  const ratio = u.pxRatio ?? devicePixelRatio;
  const { left, top, width, height } = u.bbox;
  steps.forEach(({ value, color }) => {
    const y = u.valToPos(value, "y", true);
    const outside = y < top ? "▲" : y > top + height ? "▼" : "";
    if (!outside) {
      ctx.strokeStyle = ink(color);
      ctx.lineWidth = 1.5 * ratio;
      ctx.setLineDash([8 * ratio, 6 * ratio]);
      ctx.beginPath();
      ctx.moveTo(left, y);
      ctx.lineTo(left + width, y);
      ctx.stroke();
      ctx.setLineDash([]);
    }
    const at = outside === "▲" ? top + 9 * ratio : outside ? top + height - 9 * ratio : y - 9 * ratio < top ? y + 9 * ratio : y - 9 * ratio;
    write(u, ctx, `${outside}${outside && " "}${brief(value, unit)}`, left + width - 4 * ratio, at, ink(color), "right", property("--ground"));
  });
}

function diamonds(u, ctx, traces) {
  const size = 4 * (u.pxRatio ?? devicePixelRatio);
  ctx.fillStyle = property("--c-purple");
  ctx.globalAlpha = 0.8;
  for (const { at, value } of traces) {
    const [x, y] = [u.valToPos(at, "x", true), Math.min(Math.max(u.valToPos(value, "y", true), u.bbox.top + size), u.bbox.top + u.bbox.height - size)];
    ctx.beginPath();
    ctx.moveTo(x, y - size);
    ctx.lineTo(x + size, y);
    ctx.lineTo(x, y + size);
    ctx.lineTo(x - size, y);
    ctx.fill();
  }
}
