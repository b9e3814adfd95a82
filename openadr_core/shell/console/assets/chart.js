// Line charts in SVG over time. Everything is drawn anew each second.

const SPACE = { left: 66, right: 14, top: 30, bottom: 24 };
const DOTS_MAX = 80;
const NAMESPACE = "http://www.w3.org/2000/svg";

// Rows of [moment, length in s, …] in runs: where an interval is missing, a line must not pretend that it is known.
export function unbroken(rows) {
  const runs = [];
  for (const row of rows) {
    const last = runs.at(-1)?.at(-1);
    if (last && new Date(row[0]) - new Date(last[0]) <= last[1] * 1000 + 500) runs.at(-1).push(row);
    else runs.push([row]);
  }
  return runs;
}

function shape(name, attributes, text) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// A round step that gives about `count` lines over `range`.
function roundStep(range, count) {
  const rough = range / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 2.5, 5].find((factor) => factor * power >= rough) ?? 10);
}

function timeStep(range) {
  const steps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
  return 1000 * (steps.find((step) => range / 1000 / step <= 9) ?? 28800);
}

const path = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

// lines: {runs: [[[ms, kW]…]…], kind, area, dots, name}, each run without a break; band: [[ms, low, high]…] as steps; gaps: [[ms, ms]…].
export function draw(id, { from, until, now, lines, band = [], gaps = [], empty }) {
  const svg = document.getElementById(id);
  const { width, height } = svg.getBoundingClientRect();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const drawn = [];
  const values = [0, ...lines.flatMap((line) => line.runs.flat().map(([, value]) => value)), ...band.flatMap(([, low, high]) => [low, high])];
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (high - low < 1) high = low + 1;
  high += (high - low) * 0.08;
  if (low < 0) low -= (high - low) * 0.06;
  const x = (ms) => SPACE.left + ((ms - from) / (until - from)) * (width - SPACE.left - SPACE.right);
  const y = (value) => height - SPACE.bottom - ((value - low) / (high - low)) * (height - SPACE.top - SPACE.bottom);

  const step = roundStep(high - low, height / 60);
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
    drawn.push(shape("line", { class: Math.abs(value) < step / 2 ? "zero" : "grid", x1: SPACE.left, x2: width - SPACE.right, y1: y(value), y2: y(value) }));
    drawn.push(shape("text", { x: SPACE.left - 8, y: y(value) + 4, "text-anchor": "end" }, (Math.round(value) || 0).toLocaleString()));
  }
  const tick = timeStep(until - from);
  for (let ms = Math.ceil(from / tick) * tick; ms <= until; ms += tick) {
    const label = new Date(ms).toLocaleTimeString([], { hour12: false, hour: "2-digit", minute: "2-digit", second: tick < 60000 ? "2-digit" : undefined });
    drawn.push(shape("text", { x: x(ms), y: height - 6, "text-anchor": "middle" }, label));
  }
  for (const [start, end] of gaps) {
    drawn.push(shape("rect", { class: "gap", x: x(start), width: Math.max(2, x(end) - x(start)), y: SPACE.top, height: height - SPACE.top - SPACE.bottom }));
  }
  if (band.length > 1) {
    const upper = band.map(([ms, , top]) => [x(ms), y(top)]);
    const lower = band.map(([ms, bottom]) => [x(ms), y(bottom)]).reverse();
    drawn.push(shape("path", { class: "band", d: `${path([...upper, ...lower])}Z` }));
  }
  for (const { runs, kind, area, dots } of lines) {
    const few = runs.flat().length < DOTS_MAX;
    for (const placed of runs.map((run) => run.map(([ms, value]) => [x(ms), y(value)]))) {
      if (area) drawn.push(shape("path", { class: "area", d: `${path([[placed[0][0], y(0)], ...placed, [placed.at(-1)[0], y(0)]])}Z` }));
      drawn.push(shape("path", { class: kind, d: path(placed) }));
      if (dots && few) drawn.push(...placed.map(([cx, cy]) => shape("circle", { class: "dot", cx, cy, r: 3 })));
    }
  }
  if (now >= from && now <= until) {
    drawn.push(shape("line", { class: "now", x1: x(now), x2: x(now), y1: SPACE.top, y2: height - SPACE.bottom }));
  }
  let at = SPACE.left;
  for (const { name, kind } of lines.filter((line) => line.runs.length)) {
    drawn.push(shape("line", { class: kind, x1: at, x2: at + 22, y1: 10, y2: 10 }));
    drawn.push(shape("text", { x: at + 28, y: 14 }, name));
    at += 28 + name.length * 7 + 22;
  }
  if (!lines.some((line) => line.runs.length)) {
    drawn.push(shape("text", { x: (SPACE.left + width) / 2, y: height / 2, "text-anchor": "middle" }, empty));
  }
  svg.replaceChildren(...drawn);
}
