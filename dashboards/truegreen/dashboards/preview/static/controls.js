// What stands above the board: where the data comes from, boards, variables, time, renewal, theme.

import { h, menu } from "./dom.js";
import { ALL } from "./fill.js";
import { moment } from "./format.js";
import { parsed } from "./time.js";

const RANGES = ["now-5m", "now-15m", "now-1h", "now-3h", "now-6h", "now-24h", "now-3d", "now-7d", "now-30d"];
const RENEWALS = ["off", "5s", "30s", "1m", "5m"];
const said = (text) => text.replace(/^now-(\d+)([mhd])$/, (_, n, unit) => `last ${n} ${{ m: "min", h: "h", d: "d" }[unit]}`);

const words = (text) => (/^\d+$/.test(text) ? moment(Number(text)) : text);

/** The range in words. */
function rangeText({ from, to }, whole) {
  if (whole) return "whole recording";
  if (to === "now" && /^now-\d+[mhd]$/.test(from)) return said(from);
  const [begin, end] = [words(from), words(to)];
  return `${begin} to ${end.slice(0, 10) === begin.slice(0, 10) ? end.slice(11) : end}`;
}

const pick = (text, click, title) => h("button", { class: "pick", title, click }, text);
const scale = (times) => (times > 1 ? ` · 1 s here is ${times === 60 ? "1 min" : `${times} s`} of production` : "");

/** Fill the header; `act` is what the page can do: `range, variable, renew, every, theme, help`. */
export function controls(top, info, board, state, act) {
  const recorded = info.mode === "recorded";
  const list = info.boards.map(({ uid, title, question }) =>
    h("li", {}, h("a", { href: act.address(uid), "aria-current": uid === state.uid && "page" }, h("b", {}, title.replace("truegreen / ", "")), h("small", {}, question))));
  const boards = menu("Boards", { id: "boards" }, h("ul", { class: "list" }, list));
  const variables = (board.templating?.list ?? []).filter(({ type }) => type === "query").map((variable) => {
    const made = menu("", { class: "variable", data: { name: variable.name } });
    return [variable.name, made, variable];
  });

  const dates = { from: h("input", { name: "from", size: 19 }), to: h("input", { name: "to", size: 19 }) };
  const wrong = h("small", { class: "error", role: "alert" });
  const form = h("form", { submit: (event) => {
    event.preventDefault();
    const [from, to] = [dates.from.value, dates.to.value].map((text) => text.trim());
    const [a, b] = [from, to].map((text) => parsed(text, Date.now()));
    wrong.textContent = Number.isNaN(a) || Number.isNaN(b) ? "Write now-3h, or 2026-01-31 14:05:00" : a >= b ? "From lies after to" : "";
    if (!wrong.textContent) act.range(/^now/.test(from) ? from : String(a), /^now/.test(to) ? to : String(b));
  } }, ["From", "To"].map((name) => h("label", {}, h("span", {}, name), dates[name.toLowerCase()])), h("button", { type: "submit" }, "Apply"), wrong);
  const quick = recorded ? [pick("whole recording", act.home)] : RANGES.map((from) => pick(said(from), () => act.range(from, "now"), from));
  const time = menu("", { id: "time" }, h("div", { class: "picks" }, quick), form);
  const every = recorded ? "" : menu("↻", { id: "refresh" }, h("div", { class: "picks" },
    pick("now", act.renew), RENEWALS.map((text) => pick(text, () => act.every(text)))));

  top.replaceChildren(
    h("p", { class: "band" }, h("b", {}, "truegreen"), h("span", { class: "label" }, "preview"), h("span", {}, `not Grafana · ${recorded ? "" : "live: "}${info.source}${scale(info.time_scale)}`)),
    h("nav", { "aria-label": "Board" }, boards, variables.map(([, made]) => made), time, every,
      h("button", { title: "Light or dark (d)", "aria-label": "Light or dark", click: act.theme }, "◐"),
      h("button", { title: "Keys (?)", "aria-label": "Keys", click: act.help }, "?")),
  );

  return {
    /** Show the range as it is now. */
    range(now, whole) {
      time.firstChild.textContent = rangeText(now, whole);
      for (const one of time.querySelectorAll(".pick")) one.setAttribute("aria-pressed", String(one.title === now.from && now.to === "now"));
      for (const end of ["from", "to"]) dates[end].value = words(now[end]);
    },
    /** Show what a variable may be, and what it is. */
    variable(name, options, chosen) {
      const [, made, { label }] = variables.find(([each]) => each === name);
      const all = !chosen.length || chosen.includes(ALL);
      const only = recorded && options.length === 1; // what a choice cannot change
      made.firstChild.replaceChildren(h("span", { class: "dim" }, `${label || name} `), only ? options[0] : all ? "All" : chosen.length > 2 ? `${chosen.length} chosen` : chosen.join(", "));
      const focused = made.contains(document.activeElement) && document.activeElement.dataset.value;
      const choice = (value, text, on) => h("label", {}, h("input", { type: "checkbox", checked: on, data: { value }, change: ({ target }) => {
        const rest = chosen.filter((each) => each !== ALL && each !== value);
        const next = value === ALL ? [] : target.checked ? [...rest, value] : rest;
        act.variable(name, next.length ? next : [ALL]);
      } }), text);
      made.lastChild.replaceChildren(choice(ALL, only ? options[0] : "All", all), ...[...new Set([...(only ? [] : options), ...(all ? [] : chosen)])].map((value) => choice(value, value, !all && chosen.includes(value))));
      if (focused) [...made.querySelectorAll("input")].find((input) => input.dataset.value === focused)?.focus();
    },
  };
}

/** Events as a line of buttons: on twelve plots nobody hovers. `wrong` is what the address asks and nobody can answer. */
export function chips(node, events, window, announce, wrong) {
  const short = (ms) => (window.to - window.from > 72e6 ? moment(ms).slice(5, 16) : moment(ms).slice(11));
  const chip = ({ from, to, before, firing, color, title, text, kind }) => {
    const head = [h("time", {}, `${firing ? "since " : ""}${before ? "before " : ""}${short(from)}${to > from && !firing ? ` to ${short(to)}` : ""}`), ` ${title.replace(/^Truegreen(?=[A-Z])/, "")}`];
    const all = `${kind}: ${title}. ${text} ${head[0].textContent}`;
    return h("button", { class: "chip", data: { color }, title: all, click: ({ currentTarget }) => {
      const open = currentTarget.classList.toggle("open");
      currentTarget.replaceChildren(...head, open ? h("small", {}, ` ${text}`) : "");
      if (open) announce(all);
    } }, head);
  };
  const shown = events.slice(-24);
  node.replaceChildren(...wrong.map((text) => h("small", { class: "error", role: "alert" }, text)), events.length > shown.length ? h("small", {}, `${events.length - shown.length} earlier`) : "", ...shown.map(chip));
}
