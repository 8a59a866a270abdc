// Panels without a plot: numbers, bars, tables.

import { anchor, h, tone } from "../dom.js";
import { legend } from "../fill.js";
import { columns, field, merged, sorted } from "../frames.js";
import { shown, stateWords, stepOf, written } from "../format.js";

const values = (panel, answers) =>
  answers.flatMap(({ target, samples }) => samples.map(({ labels, value }) => {
    const name = legend(target.legendFormat, labels);
    return { name, labels, value, raw: String(value), options: field(panel.fieldConfig, name) };
  }));

export function stat(body, panel, answers, context) {
  const found = values(panel, answers).filter(({ value }) => !Number.isNaN(value));
  if (!found.length) return null;
  const { textMode, colorMode } = panel.options ?? {};
  const box = h("div", { class: `stats${found.length > 2 ? " many" : ""}` });
  for (const one of found) {
    const { text, color } = shown(one.value, one.options);
    const number = h("span", { class: "number" }, text);
    if (color && colorMode !== "none") number.style.color = tone(color);
    const state = colorMode === "none" ? "" : stateWords(one.value, one.options.thresholds?.steps, one.options.unit);
    box.append(h("div", {}, context.linked(one, number), (textMode === "value_and_name" || found.length > 1) && h("small", {}, one.name), state && h("small", {}, state)));
  }
  body.append(box);
  return {};
}

export function bars(body, panel, answers, context) {
  const found = values(panel, answers).filter(({ value }) => Number.isFinite(value));
  if (!found.length) return null;
  const box = h("div", { class: "bars", tabindex: -1 });
  for (const one of found.sort((a, b) => a.value - b.value || a.name.localeCompare(b.name))) {
    const { min = 0, max = Math.max(1, ...found.map(({ value }) => value)), unit, thresholds } = one.options;
    const { text, color } = shown(one.value, one.options);
    const share = Math.min(Math.max((one.value - min) / (max - min), 0), 1);
    const fill = h("i");
    fill.style.width = `${100 * share}%`;
    fill.style.background = tone(color ?? "text");
    const number = h("span", { class: "number" }, text);
    if (color) number.style.color = tone(color);
    const state = stepOf(one.value, thresholds?.steps) === 0 && thresholds.steps.length > 1 && stateWords(one.value, thresholds.steps, unit);
    box.append(h("div", { class: "bar" }, context.linked(one, h("span", { title: one.name }, one.name)), h("span", { class: "track" }, fill), number, state && h("small", {}, state)));
  }
  body.append(box);
  return {};
}

export function table(body, panel, answers, context) {
  // Prometheus gives rows in no order.
  const rows = merged(answers.map(({ target, samples }) => ({ ref: target.refId, samples }))).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (!rows.length) return null;
  const shownColumns = columns(rows, panel.transformations).map((column) => ({ ...column, options: field(panel.fieldConfig, column.heading) }));
  const wanted = panel.options?.sortBy?.[0];
  const kept = context.memory.sort ?? (wanted && { heading: wanted.displayName, down: Boolean(wanted.desc) });
  const head = h("tr");
  const inside = h("tbody");
  const numeric = ({ key }) => rows.some((row) => typeof row[key] === "number");

  function fill(order) {
    const by = shownColumns.find(({ heading }) => heading === order?.heading);
    head.replaceChildren(...shownColumns.map((column) => {
      const mine = column === by;
      return h("th", { scope: "col", class: numeric(column) && "right", "aria-sort": mine ? (order.down ? "descending" : "ascending") : "none" },
        h("button", { data: { key: `sort ${column.heading}` }, click: () => { context.memory.sort = { heading: column.heading, down: mine ? !order.down : numeric(column) }; fill(context.memory.sort); } },
          column.heading, h("span", { "aria-hidden": "true" }, mine ? (order.down ? " ▼" : " ▲") : "")));
    }));
    inside.replaceChildren(...(by ? sorted(rows, by.key, order.down) : rows).map((row) => h("tr", {}, shownColumns.map((column) => cell(column, row, context)))));
  }

  fill(kept);
  body.append(h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `${panel.title}: table` }, h("table", { class: "data" }, h("thead", {}, head), inside)));
  return {};
}

function cell({ key, options }, row, context) {
  const value = row[key];
  if (value === undefined || value === "") return h("td");
  const number = typeof value === "number";
  const { text, color } = number ? shown(value, options) : { text: value };
  const [first] = options.links ?? [];
  const address = first && context.link(first.url, { raw: String(value), text, labels: row });
  const node = address ? anchor(address, text, first.title) : h(first ? "code" : "span", { title: first && context.unlinked }, text);
  const made = h("td", { class: number && "right" }, node);
  if (number && color && options.custom?.cellOptions?.type?.startsWith("color")) {
    made.style.color = tone(color);
    made.title = stateWords(value, options.thresholds?.steps, options.unit);
  }
  return made;
}
