// Elements. Text is always a text node: labels come from spans, and a span may hold anything.

/** An element with attributes (functions are listeners, `data` is the dataset) and children (nodes, texts, nothing). */
export function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  if (tag === "button") made.type = "button";
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (name === "data") Object.assign(made.dataset, value);
    else if (typeof made[name] === "boolean") made[name] = value;
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** A drop-down that opens by click and keyboard, and closes by Escape or when the focus leaves it. */
export function menu(summary, attributes, ...children) {
  const made = h("details", { ...attributes, class: `menu ${attributes.class ?? ""}` }, h("summary", { title: attributes.title }, summary), h("div", { class: "pop" }, children));
  made.addEventListener("keydown", (event) => { if (event.key === "Escape" && made.open) { made.open = false; made.firstChild.focus(); event.stopPropagation(); } });
  made.addEventListener("toggle", () => {
    const { left, right } = made.getBoundingClientRect();
    made.classList.toggle("leftwards", left + right > innerWidth);
  });
  made.addEventListener("focusout", ({ relatedTarget }) => { if (relatedTarget && !made.contains(relatedTarget)) made.open = false; });
  return made;
}
addEventListener("pointerdown", ({ target }) => { for (const open of document.querySelectorAll("details.menu[open]")) if (!open.contains(target)) open.open = false; });

const NAMED = ["green", "red", "orange", "yellow", "blue", "purple", "text"];
const base = (name = "text") => NAMED.find((each) => name.endsWith(each));

/** Grafana's colour name as CSS of the theme; anything else as it is. */
export const tone = (name) => (base(name) ? `var(--c-${base(name)})` : name);

/** The same for a canvas. */
export const ink = (name) => (base(name) ? property(`--c-${base(name)}`) : name);

export const property = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A link that leaves the page in a new tab, or plain text where the address is not safe. */
export const anchor = (address, text, title = text) => {
  if (!address) return h("span", {}, text);
  const outside = /^https?:/i.test(address);
  return h("a", { href: address, title, target: outside && "_blank", rel: outside && "noopener noreferrer" }, text);
};
