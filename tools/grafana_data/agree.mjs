// Asks Grafana's own library and the preview's modules the same, and prints as JSON how often, and where they differ.
//
// `grafana-data agree.mjs STATIC` reads `{now, units, values, fields: [{unit, thresholds, mappings}], intervals: [ms], targets: [{range, width, interval}]}`
// from its standard input; STATIC is the folder of the preview's modules.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const asked = JSON.parse(readFileSync(0, "utf-8"));
Date.now = () => asked.now; // what was when is told from now
globalThis.navigator ??= { language: "en-US", languages: ["en-US"] }; // Grafana's library reads a browser's

const grafana = createRequire(import.meta.url)("@grafana/data");
const preview = (name) => import(pathToFileURL(resolve(process.argv[2], name)));
const [{ shown, written }, { durations, roundInterval }] = await Promise.all([preview("format.js"), preview("time.js")]);
const theme = grafana.createTheme();

const found = { units: 0, colours: 0, intervals: 0, differences: [] };
function same(kind, what, ours, theirs) {
  found[kind] += 1;
  if (ours !== theirs) found.differences.push({ kind, what, ours, theirs });
}

const words = (display) => grafana.formattedValueToString(display);
for (const unit of asked.units) {
  for (const value of asked.values) same("units", `${value} as ${unit}`, written(value, unit), words(grafana.getValueFormat(unit)(value)));
}

// Values on each step, beside it and far from it, and those that have a name.
function near({ thresholds, mappings }) {
  const named = (mappings ?? []).flatMap(({ options }) => Object.keys(options)).map(Number);
  const steps = (thresholds?.steps ?? []).map(({ value }) => value).filter(Number.isFinite);
  return [...new Set([-1e9, -1, 0, 1e9, ...named, ...steps.flatMap((value) => [value, value - 1e-9, value + 1e-9, value * 0.99, value * 1.01])])];
}

for (const field of asked.fields) {
  const config = { ...field, color: { mode: "thresholds" } };
  const theirs = grafana.getDisplayProcessor({ field: { name: "Value", type: grafana.FieldType.number, config, values: [] }, theme, timeZone: "utc" });
  for (const value of near(field)) {
    const [one, other] = [shown(value, field), theirs(value)];
    const what = `${value} of ${JSON.stringify(field)}`;
    same("colours", what, theme.visualization.getColorByName(one.color), other.color);
    same("units", what, one.text, words(other));
  }
}

for (const ms of asked.intervals) same("intervals", `${ms} ms`, roundInterval(ms), grafana.rangeUtil.roundInterval(ms));
for (const { range, width, interval } of asked.targets) {
  const window = { from: asked.now - range, to: asked.now };
  const { intervalMs } = grafana.rangeUtil.calculateInterval({ from: window.from, to: window.to }, width, interval);
  same("intervals", `${range} ms on ${width} px, at least ${interval}`, 1000 * durations(window, width, interval).step, Math.max(intervalMs, 1000));
}

console.log(JSON.stringify(found));
