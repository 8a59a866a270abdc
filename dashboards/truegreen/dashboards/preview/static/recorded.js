// A recorded incident: what a real Prometheus answered to each query of each board, beside its unfilled expression.

import { ALL } from "./fill.js";

const narrowed = (series, variables) =>
  series.filter(({ labels }) => Object.entries(variables).every(([name, values]) =>
    !Object.hasOwn(labels, name) || !values.length || values.includes(ALL) || values.includes(labels[name])));

const unasked = () => new Error("this query was not recorded: the board has changed since (truegreen dashboard preview --prometheus-url asks it live)");

/** The recording that `/recorded/<uid>.json` serves; the same functions as `live`. */
export function recorded() {
  let [answers, choices, carried] = [{}, {}, {}];
  const find = (target, kind) => {
    const key = `${target.expr}|${target.interval ?? ""}|${kind}`;
    if (!Object.hasOwn(answers, key)) throw unasked();
    return answers[key];
  };

  async function range(target, { window, variables }) {
    const { start, step, series } = find(target, "range");
    const length = Math.max(0, ...series.map(({ values }) => values.length));
    const first = Math.max(0, Math.floor((window.from / 1000 - start) / step + 1e-6)); // on the grid of the step, as `live` asks
    const end = Math.min(length, Math.floor((window.to / 1000 - start) / step + 1e-6) + 1);
    const times = Array.from({ length: Math.max(0, end - first) }, (_, index) => start + (first + index) * step);
    return { times, step, series: narrowed(series, variables).map(({ labels, values }) => ({ labels, values: times.map((_, i) => values[first + i] ?? null) })), query: target.expr };
  }

  async function instant(target, { window, variables }) {
    const { start, step, series } = find(target, "instant");
    const length = Math.max(1, ...series.map(({ values }) => values.length));
    // What covers the whole range was asked once, at its end.
    const at = length === 1 ? 0 : Math.min(length - 1, Math.floor((window.to / 1000 - start) / step + 1e-6));
    const samples = narrowed(series, variables).map(({ labels, values }) => ({ labels, value: values[at] ?? null }));
    return { samples: samples.filter(({ value }) => value !== null), query: target.expr, whole: target.expr.includes("$__range") };
  }

  const exemplars = async ({ expr }, { window }) => (carried[expr] ?? [])
    .flatMap(({ labels, exemplars: found }) => found.map(({ at, value, trace_id }) => ({ id: trace_id, at, value, labels })))
    .filter(({ at }) => at * 1000 >= window.from && at * 1000 <= window.to).sort((a, b) => b.at - a.at).slice(0, 200);

  return {
    range, instant, exemplars, values: async ({ name }) => choices[name] ?? [],
    async board(uid) {
      const answer = await fetch(`/recorded/${encodeURIComponent(uid)}.json`);
      const { queries = {}, variables = {}, exemplars: found = {} } = answer.ok ? await answer.json() : {};
      [answers, choices, carried] = [queries, variables, found];
    },
  };
}
