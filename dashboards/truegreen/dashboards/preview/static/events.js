// Annotations: the moments at which versions changed, the alerts while they fired, the steps of a recorded story.

import { legend } from "./fill.js";
import { runs } from "./frames.js";

// Our labels say `none` where there is none: a word less to read.
const said = (format, labels) => legend(format, Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== "none")));

/** All events of a board in the window, in order of time: `{from, to, color, title, text, kind}` in milliseconds. */
export async function events(board, source, view, marks, signal) {
  const asked = (board.annotations?.list ?? []).filter(({ expr, enable }) => expr && enable !== false);
  const found = await Promise.all(asked.map(async (one) => {
    const answer = await source.range({ expr: one.expr, interval: one.step, annotation: true }, view, signal);
    return answer.series.flatMap(({ labels, values }) => spans(one, answer, values).map((span) =>
      ({ ...span, color: one.iconColor, title: said(one.titleFormat, labels), text: said(one.textFormat ?? "", labels), kind: one.name })));
  }));
  const story = marks.map(({ at, name, text }) => ({ from: at * 1000, to: at * 1000, color: "text", title: name, text: text ?? "", kind: "Story" }));
  const all = [...found.flat(), ...story].filter(({ from, to }) => to >= view.window.from && from <= view.window.to);
  return [...new Map(all.sort((a, b) => a.from - b.from).map((one) => [`${one.from} ${one.title} ${one.text}`, one])).values()];
}

// The value is the time in milliseconds, or the event lasts as long as there is a value; what is there at an edge has begun `before` or is `firing`.
function spans({ useValueForTime }, { times, step }, values) {
  if (useValueForTime) return [...new Set(values.filter((value) => value !== null))].map((value) => ({ from: value, to: value }));
  return runs(values.map((value) => (value === null ? null : 1))).map(({ from, to }) =>
    ({ from: times[from] * 1000, to: (times[from] + (to - from - 1) * step) * 1000, before: from === 0, firing: to === times.length }));
}
