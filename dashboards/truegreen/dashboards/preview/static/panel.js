// One panel: its frame, what it asks, what it draws, and its words when there is nothing to draw.

import { anchor, h, menu } from "./dom.js";
import { link } from "./fill.js";
import { clock } from "./format.js";
import * as cells from "./panels/cells.js";
import * as lines from "./panels/lines.js";
import * as plain from "./panels/plain.js";
import * as text from "./panels/text.js";

const KINDS = {
  timeseries: lines.draw, heatmap: cells.heatmap, "state-timeline": cells.timeline, stat: plain.stat, bargauge: plain.bars, table: plain.table, text: text.draw,
};
const FLAT = ["stat", "bargauge", "table"]; // drawn of one moment: the last of a range that is asked for
const MOST = 200; // lines or numbers of one query: nobody reads more, and a browser that draws thousands stands still
const NO_TRACES = "No address of traces is configured: routes.trace_url in truegreen.yaml";

/** A panel of a board. `app` is the page: `{source, state, view(width), events, zoom, announce, signal, generation, settle, info}`. */
export function panelOf(json, app) {
  const { x, y, w } = json.gridPos;
  const asked = (json.targets ?? []).filter(({ expr, hide }) => expr && !hide);
  const body = h("div", { class: "body" });
  const note = h("small", { class: "note" });
  const about = menu(h("span", { "aria-hidden": "true" }, "i"), { class: "about", title: `About ${json.title}` });
  const named = json.title || json.description;
  const node = h("section", { class: `panel ${json.type}${w <= 6 ? " small" : ""}`, role: "group", tabindex: 0, "aria-label": named, data: { id: json.id, state: "waiting" } },
    json.title && h("header", {}, h("h3", {}, json.title), note, about), body, h("span", { class: "unseen" }, json.description ?? ""));
  for (const [name, value] of Object.entries({ x: x + 1, y: y + 1, w, h: json.gridPos.h })) node.style.setProperty(`--${name}`, value);
  const self = { node, json, body, load, draw, keys, size: () => drawn?.size?.(), redraw: () => drawn?.redraw?.(), stop: () => { drawn?.destroy?.(); drawn = null; }, generation: 0, visible: null };
  const memory = {};
  let answers = [];
  let drawn = null;
  about.addEventListener("toggle", () => { if (about.open) about.lastChild.replaceChildren(...explained()); });

  async function load() {
    const { generation, signal } = app;
    self.generation = generation;
    node.dataset.state = "loading";
    let failed = "Not answered. ";
    try {
      const view = app.view(body.clientWidth);
      const found = await Promise.all(asked.map(async (target) => ({ target, ...(await app.source[FLAT.includes(json.type) ? "instant" : "range"](target, view, signal)) })));
      if (generation !== app.generation) return;
      answers = found.map(({ series, samples, ...more }) => ({ ...more, series: series?.slice(0, MOST), samples: json.type === "table" ? samples : samples?.slice(0, MOST), of: series?.length ?? samples.length }));
      failed = "It cannot be drawn. ";
      draw();
      if (drawn?.exemplars && asked.some(({ exemplar }) => exemplar)) traces(view, signal);
    } catch (error) {
      if (error.name === "AbortError" || generation !== app.generation) return;
      self.stop();
      say("error", h("strong", {}, failed), error.message);
    } finally {
      app.settle();
    }
  }

  async function traces(view, signal) {
    try {
      const target = asked.find(({ exemplar }) => exemplar);
      memory.traces = (await app.source.exemplars(target, view, signal)).sort((a, b) => b.at - a.at).slice(0, 200);
      // Only those of a histogram have the axis of its quantiles; the highest are whom one looks for.
      if (/_bucket\b/.test(target.expr)) drawn?.exemplars?.([...memory.traces].sort((a, b) => b.value - a.value).slice(0, 40));
    } catch { memory.traces = []; }
  }

  function draw() {
    const kept = body.contains(document.activeElement) ? document.activeElement.dataset.key ?? document.activeElement.textContent : null;
    const scrolled = body.querySelector(".scroll, .legend, .bars")?.scrollTop ?? 0;
    self.stop();
    body.replaceChildren();
    if (!KINDS[json.type]) return say("none", `The preview does not draw panels of the type ${json.type}.`);
    if (!asked.length && json.type !== "text") return say("none", "It asks no Prometheus.");
    drawn = KINDS[json.type](body, json, answers, {
      view: app.view(body.clientWidth), state: app.state, events: app.events, zoom: app.zoom, announce: app.announce, memory,
      link: reached, linked: ({ options: { links: [first] = [] }, ...value }, node) => (first ? anchor(reached(first.url, value), node, first.title) : node), unlinked: NO_TRACES,
    });
    if (!drawn) return say("none", json.fieldConfig?.defaults?.noValue || "no data", ...why());
    const wide = [...new Set(answers.flatMap((answer) => answer.wide ?? []))];
    node.classList.toggle("wide", wide.length > 0);
    note.textContent = [...wide.map((name) => `all ${name}s`), answers.some(({ whole }) => whole) && !app.whole() && "over the whole recording",
      ...answers.filter(({ of, samples }) => of > MOST && json.type !== "table").map(({ of }) => `${MOST} of ${of}`)].filter(Boolean).join(", ");
    node.dataset.state = "data";
    const again = body.querySelector(".scroll, .legend, .bars");
    if (again) again.scrollTop = scrolled;
    if (kept) [...body.querySelectorAll("button, a")].find((one) => (one.dataset.key ?? one.textContent) === kept)?.focus();
  }

  function say(state, ...words) {
    node.dataset.state = state;
    body.replaceChildren(h("p", { class: state }, ...words));
  }

  // Metrics that neither the collector nor the rules make: whom the panel waits for.
  const why = () => {
    const reasons = asked.map(({ expr }) => Object.keys(app.info.waiting ?? {}).find((name) => new RegExp(`\\b${name}\\b`).test(expr)));
    return reasons.every(Boolean) ? [...new Set(reasons.map((name) => app.info.waiting[name]))].map((words) => h("small", {}, words)) : [];
  };
  // Explore is Grafana's: the preview has none, so such a link is a text.
  const reached = (address, value) => link(address, { ...app.state, window: app.view(0).window }, value).replace(/^\/(?!d\/).*/, "");

  function explained() {
    const links = (json.fieldConfig?.defaults?.links ?? []).filter(({ url }) => !url.includes("${__field")).map(({ title, url }) => h("p", {}, anchor(link(url, app.state), title)));
    const shown = (memory.traces ?? []).slice(0, 20).map(({ id, at }) =>
      h("li", {}, anchor(app.info.trace_url ? link(app.info.trace_url.replace("{trace_id}", encodeURIComponent(id)), app.state) : "", id), ` ${clock(at * 1000)}`));
    return [h("p", {}, json.description ?? ""), ...links, shown.length > 0 && h("div", {}, h("b", {}, "Traces"), h("ul", {}, shown)),
      ...asked.map(({ expr, legendFormat }, index) => h("details", {}, h("summary", {}, `Query ${legendFormat ?? ""}`), h("pre", { tabindex: 0 }, answers[index]?.query ?? expr)))].filter(Boolean);
  }

  function keys(key) {
    if (!drawn?.move) return false;
    drawn.move(key);
    return true;
  }

  return self;
}
