// A recorded incident: what a real Prometheus answered to each query of each board, beside its unfilled expression.

import { ALL } from "./fill.js";

const fits = (variables) => ({ labels }) => Object.entries(variables).every(([name, values]) => values.includes(ALL) || !Object.hasOwn(labels, name) || values.includes(labels[name]));
const unasked = () => new Error("this query was not recorded: the board has changed since (truegreen dashboard preview --prometheus-url asks it live)");

/** The recording that `/recorded/<uid>.json` serves; the same functions as `live`. */
export function recorded() {
  let [answers, choices, carried] = [{}, {}, {}];
  function find({ expr, interval = "" }, kind, { variables }) {
    const key = `${expr}|${interval}|${kind}`;
    if (!Object.hasOwn(answers, key)) throw unasked();
    const { start, step, series } = answers[key];
    return {
      start, step, query: expr, series: series.filter(fits(variables)),
      length: Math.max(0, ...series.map(({ values }) => values.length)), at: (ms) => Math.floor((ms / 1000 - start) / step + 1e-6), // on the grid of the step, as `live` asks
      // What lacks a label that was chosen is a sum over all of its values.
      wide: Object.keys(variables).filter((name) => !variables[name].includes(ALL) && new RegExp(`\\$\\{?${name}\\b`).test(expr) && series.some(({ labels }) => !Object.hasOwn(labels, name))),
    };
  }

  async function range(target, view) {
    const { start, length, at, ...found } = find(target, "range", view);
    const first = Math.max(0, at(view.window.from));
    const times = Array.from({ length: Math.max(0, Math.min(length, at(view.window.to) + 1) - first) }, (_, index) => start + (first + index) * found.step);
    return { ...found, times, series: found.series.map(({ labels, values }) => ({ labels, values: times.map((_, i) => values[first + i] ?? null) })) };
  }

  async function instant(target, view) {
    const { series, length, at, query, wide } = find(target, "instant", view);
    // What covers the whole range was asked once, at its end.
    const index = length > 1 ? Math.min(length - 1, at(view.window.to)) : 0;
    const samples = series.map(({ labels, values }) => ({ labels, value: values[index] ?? null }));
    return { samples: samples.filter(({ value }) => value !== null), query, wide, whole: query.includes("$__range") };
  }

  const exemplars = async ({ expr }, { window, variables }) => (carried[expr] ?? []).filter(fits(variables))
    .flatMap(({ labels, exemplars: found }) => found.map(({ at, value, trace_id }) => ({ id: trace_id, at, value, labels })))
    .filter(({ at }) => at * 1000 >= window.from && at * 1000 <= window.to);

  return {
    range, instant, exemplars, values: async ({ name }) => choices[name] ?? [],
    /** Take out of the variables what was not recorded; returns words for each. What has one value is not narrowed by it. */
    unknown: (variables) => Object.entries(variables).flatMap(([name, values]) => {
      const there = choices[name] ?? [];
      variables[name] = there.length > 1 ? values.filter((value) => there.includes(value)) : [];
      if (!variables[name].length) variables[name] = [ALL];
      return values.filter((value) => value !== ALL && !there.includes(value)).map((value) => `${name} ${value} was not recorded: left out.`);
    }),
    async board(uid) {
      const answer = await fetch(`/recorded/${encodeURIComponent(uid)}.json`);
      const { queries = {}, variables = {}, exemplars: found = {} } = answer.ok ? await answer.json() : {};
      [answers, choices, carried] = [queries, variables, found];
    },
  };
}
