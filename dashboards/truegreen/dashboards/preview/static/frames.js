// From answers to what panels draw: aligned columns, tables. Pure.

/** A sample of Prometheus as a number; its NaN and infinities are texts. */
export const number = (text) => (text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text));

/** The matrix of a range answer on the grid of `start`, `end`, `step` (seconds): missing is null, never 0 and never joined. */
export function grid(matrix, start, end, step) {
  const count = Math.floor((end - start) / step + 1e-6) + 1;
  const times = Array.from({ length: count }, (_, index) => start + index * step);
  const series = matrix.map(({ metric, values }) => {
    const column = new Array(count).fill(null);
    for (const [at, text] of values) {
      const value = number(text);
      const index = Math.round((at - start) / step);
      if (index >= 0 && index < count && Number.isFinite(value)) column[index] = value;
    }
    return { labels: metric, values: column };
  });
  return { times, step, series };
}

const last = (values) => { for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null) return values[i]; return null; };

/** What a legend says of a column: mean, last and max of what is there. */
export function summary(values) {
  const there = values.filter((value) => value !== null);
  if (!there.length) return { mean: null, last: null, max: null };
  return { mean: there.reduce((sum, value) => sum + value, 0) / there.length, last: last(values), max: there.reduce((a, b) => Math.max(a, b)) };
}

/** Counts of a histogram by bucket from cumulative ones, lowest bucket first. */
export function buckets(series) {
  const sorted = series.map((one) => ({ le: number(one.labels.le), values: one.values })).sort((a, b) => a.le - b.le);
  return sorted.map(({ le, values }, rank) => ({
    le, from: rank ? sorted[rank - 1].le : 0,
    values: values.map((value, index) => (value === null ? null : Math.max(0, value - (rank ? sorted[rank - 1].values[index] ?? 0 : 0)))),
  }));
}

/** Runs of one value in a column: `{from, to, value}` in indexes, `to` excluded. A gap ends a run. */
export function runs(values) {
  const found = [];
  values.forEach((value, index) => {
    const open = found.at(-1);
    if (value === null) return;
    if (open && open.to === index && open.value === value) open.to = index + 1;
    else found.push({ from: index, to: index + 1, value });
  });
  return found;
}

/** Rows of several instant answers `[{ref, samples}]`, joined on the labels that they share; values stand under `Value #A`. */
export function merged(answers) {
  const alone = answers.length === 1;
  const rows = [];
  for (const { ref, samples } of answers) {
    const name = alone ? "Value" : `Value #${ref}`;
    const earlier = rows.slice();
    for (const { labels, value } of samples) {
      const fits = earlier.filter((row) => !Object.hasOwn(row, name) && Object.entries(labels).every(([k, v]) => !Object.hasOwn(row, k) || row[k] === v));
      for (const row of fits) Object.assign(row, labels, { [name]: value });
      if (!fits.length) rows.push({ ...labels, [name]: value });
    }
  }
  return rows;
}

/** Columns `[{key, heading}]` in order, as the panel's `organize` says; without one, all that rows have. */
export function columns(rows, transformations = []) {
  const { excludeByName = {}, includeByName, indexByName = {}, renameByName = {} } = transformations.find((t) => t.id === "organize")?.options ?? {};
  const keys = [...new Set([...Object.keys(indexByName), ...rows.flatMap(Object.keys)])];
  return keys
    .filter((key) => key !== "__name__" && !excludeByName[key] && (!includeByName || includeByName[key]))
    .sort((a, b) => (indexByName[a] ?? 1e6) - (indexByName[b] ?? 1e6))
    .map((key) => ({ key, heading: renameByName[key] || key }));
}

/** Rows in the order of one column, numbers as numbers, what is missing last. */
export function sorted(rows, key, down) {
  const sign = down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [a[key], b[key]];
    if (x === undefined || y === undefined) return x === y ? 0 : x === undefined ? 1 : -1;
    return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
  });
}

/** The field options of a panel for a series or column of this name: defaults and what overrides say. */
export function field(config = {}, name = "") {
  const made = { ...config.defaults, custom: { ...config.defaults?.custom } };
  for (const { matcher, properties } of config.overrides ?? []) {
    if (!matches(matcher, name)) continue;
    for (const { id, value } of properties) {
      if (id.startsWith("custom.")) made.custom[id.slice(7)] = value;
      else made[id] = value;
    }
  }
  return made;
}

function matches({ id, options }, name) {
  if (id === "byName") return options === name;
  if (id !== "byRegexp") return false;
  const [, body, flags] = /^\/(.*)\/([gimsuy]*)$/s.exec(options) ?? [null, options, ""];
  return new RegExp(body, flags).test(name);
}
