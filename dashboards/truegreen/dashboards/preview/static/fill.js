// What stands for a variable: in PromQL, in a link, in words. Pure.

const VARIABLE = /\$(\w+)|\$\{(\w+)(?:\.([^}:]+))?(?::(\w+))?\}/g;
export const ALL = "$__all";

const escaped = (text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&").replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n");

/** A variable's values as a regular expression inside PromQL's quotes. */
export function pattern(values, everything = ".*") {
  if (!values?.length || values.includes(ALL)) return everything;
  const parts = values.map(escaped);
  return parts.length === 1 ? parts[0] : `(${parts.join("|")})`;
}

/** PromQL with the variables `{name: values}` and the built-in `{__interval: "30s"}` in it. */
export function query(text, variables, builtin) {
  return text.replace(VARIABLE, (whole, plain, braced) => {
    const name = plain ?? braced;
    if (Object.hasOwn(builtin, name)) return builtin[name];
    return Object.hasOwn(variables, name) ? pattern(variables[name]) : whole;
  });
}

/** The variables as a board's address carries them. */
export const parameters = (variables) =>
  Object.entries(variables).flatMap(([name, values]) => values.map((value) => `var-${name}=${encodeURIComponent(value)}`)).join("&");

/** Words for a person: All reads as `all` says of the variable's name, else "All". */
export const words = (text, variables, all = () => "All") =>
  text.replace(VARIABLE, (whole, plain, braced) => {
    const name = plain ?? braced;
    if (!Object.hasOwn(variables, name)) return whole;
    const values = variables[name];
    return !values.length || values.includes(ALL) ? all(name) : values.join(", ");
  });

/** A link's address, from the state `{variables, from, to}` and the value that it is on `{raw, text, labels}`; "" where it is not safe. */
export function link(address, state, value = {}) {
  const filled = address.replace(VARIABLE, (whole, plain, braced, path = "", format = "") => {
    const name = plain ?? braced;
    const known = {
      __url_time_range: () => `from=${encodeURIComponent(state.from)}&to=${encodeURIComponent(state.to)}`,
      __from: () => String(state.window?.from ?? state.from), __to: () => String(state.window?.to ?? state.to),
      __all_variables: () => parameters(state.variables),
      __value: () => encodeURIComponent(path === "raw" ? value.raw ?? "" : value.text ?? ""),
      __field: () => encodeURIComponent(path.startsWith("labels.") ? value.labels?.[path.slice(7)] ?? "" : value.name ?? ""),
    };
    if (Object.hasOwn(known, name)) return known[name]();
    if (!Object.hasOwn(state.variables, name)) return format === "queryparam" ? "" : whole;
    const values = state.variables[name];
    return format === "queryparam" ? parameters({ [name]: values }) : values.map(encodeURIComponent).join(",");
  });
  const tidy = filled.replace(/[?&]&+/g, (found) => found[0]).replace(/[?&]$/, "");
  return /^(https?:\/\/|\/(?![/\\]))/i.test(tidy) ? tidy : "";
}

/** A legend such as `{{service}} {{slo}}` for one series; without one, its labels. */
export function legend(format, labels) {
  if (format && format !== "__auto") return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? "").replace(/\s+/g, " ").trim();
  const inside = Object.entries(labels).filter(([label]) => label !== "__name__").map(([label, value]) => `${label}="${value}"`).join(", ");
  return `${labels.__name__ ?? ""}${inside ? `{${inside}}` : ""}` || "value";
}
