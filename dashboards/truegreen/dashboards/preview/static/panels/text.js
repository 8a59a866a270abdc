// Markdown, the part that boards use, as elements: never as HTML.

import { anchor, h } from "../dom.js";
import { words } from "../fill.js";

const INLINE = /`([^`]+)`|\*\*(.+?)\*\*|\[([^\]]+)\]\(([^)\s]+)\)/g;

export function draw(body, panel, _, context) {
  body.append(h("div", { class: "words" }, ...blocks(panel.options?.content ?? "", context)));
  return {};
}

// A command is for one service: the only one that there is, or a place to write its name.
const command = (text, { variables, choices }) => words(text, variables, (name) => (choices[name]?.length === 1 ? choices[name][0] : name.toUpperCase()));

function inline(text, context) {
  const made = [];
  let end = 0;
  for (const found of text.matchAll(INLINE)) {
    const [whole, code, bold, label, address] = found;
    made.push(words(text.slice(end, found.index), context.state.variables));
    if (code) made.push(h("code", {}, command(code, context.state)));
    else if (bold) made.push(h("strong", {}, inline(bold, context)));
    else made.push(anchor(context.link(address), words(label, context.state.variables)));
    end = found.index + whole.length;
  }
  return [...made, words(text.slice(end), context.state.variables)];
}

function blocks(text, context) {
  const made = [];
  let list = null;
  for (const line of text.split("\n")) {
    const item = /^\s*(?:([-*])|\d+\.)\s+(.*)$/.exec(line);
    const heading = /^(#{1,4})\s+(.*)$/.exec(line);
    if (item) {
      const kind = item[1] ? "ul" : "ol";
      if (list?.localName !== kind) made.push((list = h(kind)));
      list.append(h("li", {}, inline(item[2], context)));
      continue;
    } else if (heading) made.push(h("h4", {}, inline(heading[2], context)));
    else if (line.trim()) made.push(h("p", {}, inline(line, context)));
    list = null;
  }
  return made;
}
