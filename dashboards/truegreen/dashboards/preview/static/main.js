// The page: one state, kept in the address as Grafana keeps it, so that an alert's link works here unchanged.

import { boardOf } from "./board.js";
import { chips, controls } from "./controls.js";
import { h } from "./dom.js";
import { events } from "./events.js";
import { ALL, parameters } from "./fill.js";
import { clock } from "./format.js";
import { help, listen } from "./keys.js";
import { live } from "./live.js";
import { recorded } from "./recorded.js";
import { milliseconds, parsed } from "./time.js";

const [top, main, line, dialog, said] = ["top", "board", "events", "help", "said"].map((id) => document.getElementById(id));
const root = document.documentElement;
const json = async (path) => {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
};

const paint = () => { root.dataset.theme = localStorage.getItem("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"); };
paint();

const app = {
  info: null, source: null, board: null, state: {}, events: [], generation: 0, signal: null, zoom: (from, to) => range(Math.round(from), Math.round(to)),
  announce: (text) => { said.textContent = text; },
  view: (width) => ({ window: windowNow(), width, variables: app.state.variables }),
  whole: () => app.info.range && windowNow().from <= app.info.range.start * 1000 && windowNow().to >= app.info.range.end * 1000,
  settle: () => {
    if (asking()) return;
    if (!root.dataset.ready) performance.mark("drawn");
    root.dataset.ready = "true";
    renewed();
  },
};
let [own, head, controller, json_, wrong] = [null, null, null, null, []];

const now = () => (app.info.range ? app.info.range.end * 1000 : app.now);
const windowNow = () => ({ from: parsed(app.state.from, now()), to: parsed(app.state.to, now()) });
const search = () => `?${new URLSearchParams({ from: app.state.from, to: app.state.to })}&${parameters(app.state.variables)}`.replace(/&$/, "");
const address = (uid) => `/d/${encodeURIComponent(uid)}${search()}`;

function range(from, to) {
  app.state.from = String(from);
  app.state.to = String(to);
  changed();
}

function changed(push = true) {
  history[push ? "pushState" : "replaceState"](null, "", address(app.state.uid));
  head.range(app.state, app.whole());
  for (const link of top.querySelectorAll("#boards a")) link.search = search();
  ask();
}

const act = {
  address, range, renew: () => ask(), help: () => help(dialog),
  home: () => range(own.from, own.to),
  shift: (by) => { const { from, to } = windowNow(); range(Math.round(from + by * (to - from)), Math.round(to + by * (to - from))); },
  stretch: (by) => { const { from, to } = windowNow(); range(Math.round(to - Math.min(Math.max(by * (to - from), 1e4), 1e11)), by > 1 && app.state.to === "now" ? "now" : Math.round(to)); },
  variable: (name, values) => { app.state.variables = { ...app.state.variables, [name]: values }; changed(); },
  every: (text) => { app.state.refresh = text; renewed(); },
  theme: () => {
    localStorage.setItem("theme", root.dataset.theme === "dark" ? "light" : "dark");
    paint();
    app.board.redraw(true);
  },
};

// A range that has ended is asked once. What is slower than its renewal is waited for: given up again and again it would never be drawn.
const every = () => (/^now/.test(app.state.to) || windowNow().to > app.now ? milliseconds(app.state.refresh) : 0);
const asking = () => !app.board || app.busy || app.board.pending();
const renewed = () => { const shown = top.querySelector("#refresh summary"); if (shown) shown.textContent = `↻ ${every() ? app.state.refresh : "off"} · ${clock(app.now)}`; };
setInterval(() => { if (app.source?.live && every() && Date.now() - app.now >= every() && !document.hidden && !asking()) ask(); }, 1000);

// Ask everything in sight anew. What was still under way is given up.
async function ask() {
  controller?.abort();
  controller = new AbortController();
  app.signal = controller.signal;
  app.generation += 1;
  app.now = Date.now();
  app.busy = true;
  delete root.dataset.ready;
  const mine = app.generation;
  app.board.load();
  choices(mine, app.signal);
  try {
    const found = await events(json_, app.source, app.view(main.clientWidth), app.info.marks ?? [], app.signal);
    if (mine !== app.generation) return;
    app.events.splice(0, app.events.length, ...found);
    chips(line, found, windowNow(), app.announce, wrong);
    app.board.redraw();
  } catch (error) {
    if (error.name !== "AbortError") line.replaceChildren(h("small", { class: "error" }, `Events: ${error.message}`));
  } finally {
    if (mine === app.generation) app.busy = false;
    app.settle();
  }
}

// A variable's choices follow those before it, so that a service offers its own environments.
async function choices(mine, signal) {
  for (const variable of (json_.templating?.list ?? []).filter(({ type }) => type === "query")) {
    const chosen = app.state.variables[variable.name];
    let found = [];
    try { found = await app.source.values(variable, app.view(0), signal); } catch (error) { if (error.name === "AbortError") return; }
    if (mine !== app.generation) return;
    app.state.choices[variable.name] = found;
    head.variable(variable.name, found, chosen);
  }
  for (const panel of app.board.panels) if (panel.json.type === "text" && panel.generation) panel.draw();
}

async function route() {
  const uid = decodeURIComponent(location.pathname.split("/")[2] ?? app.info.boards[0].uid);
  const asked = new URLSearchParams(location.search);
  json_ = await json(`/boards/${encodeURIComponent(uid)}.json`);
  await app.source.board(uid);
  document.title = `${json_.title} (preview)`;
  own = app.info.range ? { from: String(app.info.range.start * 1000), to: String(app.info.range.end * 1000) } : json_.time;
  const variables = Object.fromEntries((json_.templating?.list ?? []).filter(({ type }) => type === "query").map(({ name, current }) => {
    const given = asked.getAll(`var-${name}`).map((value) => (value === "All" ? ALL : value));
    return [name, given.length ? given : [current?.value ?? ALL].flat()];
  }));
  app.now = Date.now();
  wrong = app.source.unknown(variables);
  app.state = { uid, variables, choices: {}, from: asked.get("from") ?? own.from, to: asked.get("to") ?? own.to, refresh: app.state.refresh ?? json_.refresh ?? "off" };
  if (!(windowNow().from < windowNow().to)) {
    wrong.push(`From ${app.state.from} to ${app.state.to} is no time range: the board's own is shown.`);
    Object.assign(app.state, own);
  }
  app.board?.stop();
  app.events.length = 0;
  head = controls(top, app.info, json_, app.state, act);
  app.board = boardOf(json_, app, main);
  for (const [name, chosen] of Object.entries(variables)) head.variable(name, [], chosen);
  changed(false);
}

function failed(error) {
  main.replaceChildren(h("p", { class: "error" }, h("strong", {}, "The board cannot be shown. "), error.message));
  root.dataset.ready = "failed";
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/d/']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  scrollTo(0, 0);
  route().catch(failed);
});
addEventListener("popstate", () => route().catch(failed));
addEventListener("resize", () => { delete root.dataset.ready; requestAnimationFrame(() => requestAnimationFrame(() => app.settle())); });
listen(act, (node) => app.board.panels.find((panel) => panel.node === node));

try {
  app.info = await json("/boards.json");
  app.source = app.info.mode === "recorded" ? recorded() : live();
  await route();
} catch (error) {
  failed(error);
}
