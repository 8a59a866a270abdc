// Times, steps and Grafana's three durations. They must equal Grafana's, or the numbers differ. Pure.

const UNIT = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5, M: 2592e6, y: 31536e6 };
const POINTS = 11000; // the most that Prometheus answers in one series
// The step for an interval under each bound, in milliseconds.
const STEPS = [
  [10, 1], [15, 10], [35, 20], [75, 50], [150, 100], [350, 200], [750, 500], [1500, 1e3], [3500, 2e3], [7500, 5e3], [12500, 1e4],
  [17500, 15e3], [25e3, 2e4], [45e3, 3e4], [9e4, 6e4], [21e4, 12e4], [45e4, 3e5], [75e4, 6e5], [105e4, 9e5], [15e5, 12e5], [27e5, 18e5],
  [54e5, 36e5], [9e6, 72e5], [162e5, 108e5], [324e5, 216e5], [864e5, 432e5], [6048e5, 864e5], [18144e5, 6048e5], [36288e5, 2592e6],
];

export const roundInterval = (ms) => (STEPS.find(([bound]) => ms < bound) ?? [0, 31536e6])[1];

/** `30s`, `2m`, `1h30m` in milliseconds; 0 when it is none. */
export const milliseconds = (text = "") =>
  [...String(text).matchAll(/([\d.]+)(ms|[smhdwMy])/g)].reduce((sum, [, n, unit]) => sum + n * UNIT[unit], 0);

/** `now`, `now-3h`, milliseconds or an ISO date as milliseconds; NaN when it is none of them. */
export function parsed(text, now) {
  const trimmed = String(text).trim();
  const relative = /^now(?:\s*([+-])\s*(\d+)([smhdwMy]))?$/.exec(trimmed);
  if (relative) return now + (relative[1] ? (relative[1] === "-" ? -1 : 1) * relative[2] * UNIT[relative[3]] : 0);
  return /^\d+$/.test(trimmed) ? Number(trimmed) : Date.parse(trimmed.replace(" ", "T"));
}

export function durationText(ms) {
  const unit = ["d", "h", "m"].find((each) => ms % UNIT[each] === 0) ?? "s";
  return `${ms / UNIT[unit]}${unit}`;
}

/** The durations of one target in a window `{from, to}` (ms) drawn `width` pixels wide: step and what fills `$__…`. */
export function durations(window, width, minimum) {
  const range = window.to - window.from;
  const least = milliseconds(minimum);
  const interval = Math.max(roundInterval(range / Math.max(width, 1)), least, Math.ceil(range / POINTS / 1000) * 1000, 1000);
  const scrape = least || 15000;
  return {
    step: interval / 1000,
    fill: {
      __interval: durationText(interval), __interval_ms: String(interval), __rate_interval: durationText(Math.max(interval + scrape, 4 * scrape)),
      __range: `${Math.max(1, Math.round(range / 1000))}s`, __range_s: String(Math.round(range / 1000)), __range_ms: String(range),
    },
  };
}

/** Start and end in seconds, on the grid of the step: a renewal moves no point. */
export const aligned = ({ from, to }, step) => [from, to].map((ms) => Math.floor(ms / 1000 / step) * step);
