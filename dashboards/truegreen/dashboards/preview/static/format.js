// Numbers as Grafana writes them, and the colour and the word of a state. Pure: Node reads it too.

const K = ["", " K", " Mil", " Bil", " Tri", " Quadr", " Quint", " Sext", " Sept"];
const BYTES = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"].map((p) => ` ${p}B`);
const SPANS = [["year", 31536000], ["month", 2592000], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

// Three significant digits, whole numbers whole.
function decimalsOf(value) {
  if (value % 1 === 0) return 0;
  const down = 1 - Math.floor(Math.log(Math.abs(value)) / Math.LN10);
  return Math.max(0, down + (Math.abs(value) / 10 ** -down > 2.25 ? 1 : 0));
}

function fixed(value, decimals = decimalsOf(value)) {
  const factor = 10 ** decimals;
  const rounded = Math.round(value * factor) / factor;
  return String(rounded).includes("e") ? String(rounded) : rounded.toFixed(decimals).replace(/^-(0(\.0+)?)$/, "$1");
}

const plural = (word, value) => (Math.abs(value) > 1 && word.length > 2 ? `${word}s` : word);
const spelled = (value, word) => `${fixed(value)} ${plural(word, value)}`;

function scaled(value, base, units, offset = 0) {
  const power = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)) / Math.log10(base));
  const kept = Math.min(Math.max(power, -offset), units.length - offset - 1);
  return fixed(value / base ** kept) + units[kept + offset];
}

function seconds(value) {
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  if (size < 1e-6) return spelled(value * 1e9, "ns");
  if (size < 1e-3) return spelled(value * 1e6, "µs");
  if (size < 1) return spelled(value * 1e3, "ms");
  if (size < 60) return `${fixed(value)} s`;
  if (size < 3600) return spelled(value / 60, "min");
  if (size < 86400) return spelled(value / 3600, "hour");
  if (size < 604800) return spelled(value / 86400, "day");
  return size < 31536000 ? spelled(value / 604800, "week") : spelled(value / 31556900, "year");
}

function duration(value) {
  if (value === 0) return "0 seconds";
  if (value < 0) return `${duration(-value)} ago`;
  const [word, size] = SPANS.find(([, each]) => value >= each) ?? ["millisecond", 1e-3];
  const count = Math.floor(value / size);
  return count < 1 ? "" : `${count} ${word}${count === 1 ? "" : "s"}`;
}

const two = (number) => String(number).padStart(2, "0");
export const clock = (ms, precise = true) => {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}${precise ? `:${two(at.getSeconds())}` : ""}`;
};
export const day = (ms) => {
  const at = new Date(ms);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
};
export const moment = (ms) => `${day(ms)} ${clock(ms)}`;

function ago(ms) {
  const gone = (Date.now() - ms) / 1000;
  const [word, size] = SPANS.find(([, each]) => Math.abs(gone) >= each) ?? ["second", 1];
  const count = Math.round(Math.abs(gone) / size);
  const words = size === 1 ? "a few seconds" : count === 1 ? `${word === "hour" ? "an" : "a"} ${word}` : `${count} ${word}s`;
  return gone < 0 ? `in ${words}` : `${words} ago`;
}

const UNITS = {
  percentunit: (v) => `${fixed(100 * v)}%`, percent: (v) => `${fixed(v)}%`, s: seconds, short: (v) => scaled(v, 1000, K),
  cpm: (v) => scaled(v, 1000, ["", "K", "M", "B", "T"]) + " c/m", bytes: (v) => scaled(v, 1024, BYTES),
  mbytes: (v) => scaled(v, 1024, BYTES, 2), dtdurations: duration, dateTimeAsIso: moment, dateTimeFromNow: ago,
  locale: (v) => v.toLocaleString("en-US"), none: (v) => fixed(v), "": (v) => fixed(v),
};

/** A finite number with its unit; a unit that is not known stands behind the number. */
export function written(value, unit = "") {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "-∞";
  return Object.hasOwn(UNITS, unit) ? UNITS[unit](value) : `${fixed(value)} ${unit}`;
}

/** The same without zeros behind the point that say nothing: for axes and limits. */
export const brief = (value, unit) => written(value, unit).replace(/(\.\d*?)0+(?=\D|$)/, "$1").replace(/\.(?=\D|$)/, "");

/** The index of the step that a value is on; -1 without steps. The base step's value is null. */
export function stepOf(value, steps = []) {
  let found = steps.length ? 0 : -1;
  steps.forEach((step, index) => { if (step.value !== null && value >= step.value) found = index; });
  return found;
}

/** The step in words, since colour alone says nothing to some: "over 5%", "under 5%". */
export function stateWords(value, steps, unit) {
  const at = stepOf(value, steps);
  if (at < 0 || steps.length < 2) return "";
  return at > 0 ? `${value === steps[at].value ? "at" : "over"} ${brief(steps[at].value, unit)}` : `under ${brief(steps[1].value, unit)}`;
}

/** What a value mapping makes of a value: `{text, color}`, or undefined. */
export function mapped(value, mappings = []) {
  return mappings.find(({ type, options }) => type === "value" && Object.hasOwn(options, String(value)))?.options[String(value)];
}

/** A value as a panel's field writes it: text, and the name of its colour where it has one. */
export function shown(value, field) {
  const map = mapped(value, field.mappings);
  const step = stepOf(value, field.thresholds?.steps);
  const color = map?.color ?? (step >= 0 ? field.thresholds.steps[step].color : undefined);
  return { text: map?.text ?? written(value, field.unit), color };
}
