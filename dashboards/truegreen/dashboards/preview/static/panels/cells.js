// Heatmap and state timeline: cells on ordinal rows.

import { h, ink, property } from "../dom.js";
import { legend } from "../fill.js";
import { buckets, field, runs } from "../frames.js";
import { mapped, shown, written } from "../format.js";
import { plotOn, widthOf, write } from "./plot.js";

const rowsScale = (count) => ({ y: { range: () => [0, count] } });
const row = (u, rank) => u.valToPos(rank, "y", true);
const rowAt = (u, count) => { const y = u.posToVal(u.cursor.top ?? -1, "y"); return y >= 0 && y < count ? Math.floor(y) : -1; };

export function heatmap(body, panel, answers, context) {
  const { times, step, series } = answers[0];
  const bands = buckets(series.filter(({ labels }) => labels.le !== undefined));
  const counts = bands.flatMap(({ values }) => values.filter((value) => value > 0));
  if (!counts.length) return null;
  const most = counts.reduce((a, b) => Math.max(a, b));
  const unit = panel.options?.yAxis?.unit ?? panel.fieldConfig?.defaults?.unit ?? "";
  const name = ({ le }) => (le === Infinity ? "more" : written(le, unit));
  const every = Math.max(1, Math.ceil(bands.length / 12));
  const box = h("div", { class: "plot" });
  body.append(box, h("div", { class: "scale" }, "0", h("i"), `${written(most, "short")} in a cell`));
  return plotOn(box, { times, columns: [times.map(() => null)] }, {
    ...rowsScale(bands.length), series: [{}],
    yAxis: {
      splits: () => bands.map((_, rank) => rank + 1), values: (u, at) => at.map((rank) => (rank % every ? "" : name(bands[rank - 1]))), grid: { show: false },
      size: () => 12 + Math.max(...bands.map((band) => widthOf(name(band)))),
    },
    tip(index, u) {
      const here = rowAt(u, bands.length);
      const drawn = bands.map((band, rank) => ({ band, rank })).filter(({ band, rank }) => band.values[index] > 0 && (here < 0 || here === rank));
      return drawn.reverse().map(({ band }) => ({ name: `${band.from === 0 ? "up to" : `${written(band.from, unit)} to`} ${name(band)}`, value: written(band.values[index], "short") }));
    },
    paint(u, ctx) {
      const wide = (u.valToPos(times[0] + step, "x", true) - u.valToPos(times[0], "x", true)) || u.bbox.width;
      ctx.fillStyle = property("--heat");
      bands.forEach(({ values }, rank) => values.forEach((value, index) => {
        if (!(value > 0)) return;
        ctx.globalAlpha = 0.12 + 0.88 * Math.sqrt(value / most);
        const x = u.valToPos(times[index], "x", true);
        ctx.fillRect(x - wide + 0.5, row(u, rank + 1) + 0.5, Math.max(wide - 1, 1), row(u, rank) - row(u, rank + 1) - 1);
      }));
      ctx.globalAlpha = 1;
    },
  }, context);
}

export function timeline(body, panel, answers, context) {
  const bands = answers.flatMap(({ target, series, times, step }) => series.map(({ labels, values }) => {
    const name = legend(target.legendFormat, labels);
    return { name, labels, values, times, step, runs: runs(values), options: field(panel.fieldConfig, name) };
  })).filter(({ runs: found }) => found.length).sort((a, b) => a.runs.at(-1).value - b.runs.at(-1).value || b.name.localeCompare(a.name)); // the worst state on top
  if (!bands.length) return null;
  const { times } = bands[0];
  const side = Math.min(Math.max(...bands.map(({ name }) => widthOf(name))) + 12, body.clientWidth * 0.4);
  const box = h("div", { class: "plot" });
  box.style.minHeight = `${32 + 18 * bands.length}px`; // a row that cannot be read is none: they scroll
  body.append(h("div", { class: "scroll rows" }, box));
  // Only a state has a colour and a word; what merely is there is neutral.
  const says = (band, value) => {
    if (value === null) return { text: "no data" };
    const { text, color } = shown(value, band.options);
    return { text, word: mapped(value, band.options.mappings) ? text : "", color: color ? ink(color) : property("--neutral") };
  };
  const made = plotOn(box, { times, columns: [times.map(() => null)] }, {
    ...rowsScale(bands.length), series: [{}],
    yAxis: { splits: () => [], size: () => side, grid: { show: false } },
    tip(index, u) {
      const here = rowAt(u, bands.length);
      return bands.map((band, rank) => ({ band, rank })).filter(({ rank }) => here < 0 || rank === here).reverse()
        .map(({ band }) => { const { text, color } = says(band, band.values[index]); return { name: band.name, value: text, color }; });
    },
    paint(u, ctx) {
      const ratio = u.pxRatio ?? devicePixelRatio;
      bands.forEach((band, rank) => {
        const [top, bottom] = [row(u, rank + 0.92), row(u, rank + 0.08)];
        for (const { from, to, value } of band.runs) {
          const { word, color } = says(band, value);
          const left = Math.max(u.valToPos(band.times[from], "x", true), u.bbox.left);
          const right = Math.min(u.valToPos(band.times[from] + (to - from) * band.step, "x", true), u.bbox.left + u.bbox.width);
          ctx.fillStyle = color;
          ctx.fillRect(left, top, Math.max(right - left, ratio), bottom - top);
          if (widthOf(word) < (right - left) / ratio - 12) write(u, ctx, word, left + 6 * ratio, (top + bottom) / 2, property("--on-state"));
        }
      });
    },
  }, context);
  // The names are links, so they are text of the page and not of the canvas.
  const names = h("div", { class: "names" });
  names.style.width = `${side - 6}px`;
  [...bands].reverse().forEach(({ name, labels, options }) => names.append(h("span", { title: name }, context.linked({ options, labels, name }, name))));
  box.append(names);
  return made;
}
