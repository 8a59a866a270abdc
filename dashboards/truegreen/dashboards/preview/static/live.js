// A Prometheus behind the preview's server, asked as Grafana asks it.

import { aligned, durations } from "./time.js";
import { query } from "./fill.js";
import { grid, number } from "./frames.js";

async function ask(path, parameters, signal) {
  let answer;
  try {
    answer = await fetch(`/api/v1/${path}?${new URLSearchParams(parameters)}`, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the preview's server does not answer: is `truegreen dashboard preview` still running?");
  }
  const text = await answer.text();
  let body = {};
  try { body = JSON.parse(text); } catch { /* the status says enough */ }
  if (!answer.ok || body.status !== "success") throw new Error(`${answer.status}: ${body.error ?? (text.slice(0, 300) || answer.statusText)}`);
  return body.data;
}

const filled = (target, view) => {
  const { step, fill } = durations(view.window, view.width, target.interval);
  return { step, query: query(target.expr, view.variables, fill) };
};

async function range(target, view, signal) {
  const { step, query } = filled(target, view);
  const [start, end] = aligned(view.window, step);
  const { result } = await ask("query_range", { query, start, end, step }, signal);
  return { ...grid(result, start, end, step), query };
}

async function instant(target, view, signal) {
  const { query } = filled(target, view);
  // An alert's link may end in the future, where nothing is known yet.
  const time = Math.min(view.window.to, Date.now()) / 1000;
  const { result, resultType } = await ask("query", { query, time }, signal);
  const found = resultType === "vector" ? result : [{ metric: {}, value: result }];
  return { samples: found.map(({ metric, value }) => ({ labels: metric, value: number(value[1]) })), query };
}

/** The traces that a metric carries in the window: `{id, at, value, labels}`. */
async function exemplars(target, view, signal) {
  const data = await ask("query_exemplars", { query: filled(target, view).query, start: view.window.from / 1000, end: view.window.to / 1000 }, signal);
  return data
    .flatMap(({ seriesLabels, exemplars }) => exemplars.map(({ labels, value, timestamp }) =>
      ({ id: labels.trace_id ?? labels.traceID, at: timestamp, value: number(value), labels: seriesLabels })))
    .filter(({ id }) => id);
}

/** What a variable may be: the values of a label, as `label_values(metric{…}, label)` asks. */
async function values(variable, view, signal) {
  const text = typeof variable.query === "string" ? variable.query : variable.query?.query ?? "";
  const [, match, label] = /^\s*label_values\((?:(.+),)?\s*(\w+)\s*\)\s*$/s.exec(text) ?? [];
  if (!label) return [];
  const parameters = { start: view.window.from / 1000, end: view.window.to / 1000 };
  if (match) parameters["match[]"] = query(match.trim(), view.variables, {});
  return (await ask(`label/${label}/values`, parameters, signal)).sort();
}

export const live = () => ({ live: true, unknown: () => [], range, instant, exemplars, values, board: async () => {} });
