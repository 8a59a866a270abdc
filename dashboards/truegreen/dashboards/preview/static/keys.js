// Keys, without modifiers, and never while somebody types.

import { h } from "./dom.js";

const KEYS = [
  ["Tab", "from panel to panel"], ["← →", "along the plot that has the focus"], ["[ ]", "half a range back, forward"], ["- +", "a longer, a shorter range"],
  ["0", "the board's own range"], ["r", "ask again"], ["d", "light or dark"], ["b", "boards"], ["v", "variables"], ["t", "time range"], ["?", "this list"],
];

export function help(dialog) {
  dialog.replaceChildren(h("h2", {}, "Keys"), h("dl", {}, KEYS.map(([key, words]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, words)])),
    h("form", { method: "dialog" }, h("button", { type: "submit" }, "Close")));
  dialog.showModal();
}

const open = (selector) => {
  const menu = document.querySelector(selector);
  if (!menu) return;
  menu.open = true;
  menu.firstChild.focus();
};

/** Listen; `act` is what the page can do, `panel(node)` the panel that a node is. */
export function listen(act, panel) {
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, dialog")) return;
    if (/^(Arrow(Left|Right)|Home|End)$/.test(key)) {
      const focused = target.classList.contains("panel") && panel(target);
      if (focused && focused.keys(key)) event.preventDefault();
      return;
    }
    const done = {
      "[": () => act.shift(-0.5), "]": () => act.shift(0.5), "-": () => act.stretch(2), "+": () => act.stretch(0.5), "=": () => act.stretch(0.5), 0: act.home, r: act.renew,
      d: act.theme, b: () => open("#boards"), v: () => open(".variable"), t: () => open("#time"), "?": act.help,
    }[key];
    if (!done) return;
    event.preventDefault();
    done();
  });
}
