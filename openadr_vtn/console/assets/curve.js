// A DERCurve, small: the points as a line, in a frame as wide and as high as they are.

const SPACE = { width: 96, height: 36, edge: 4 };
const NAMESPACE = "http://www.w3.org/2000/svg";

function shape(name, attributes) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const span = (values) => { const least = Math.min(...values); return [least, Math.max(...values) - least || 1]; };

export function plot({ points, name }) {
  const [left, wide] = span(points.map(([x]) => x));
  const [low, high] = span(points.map(([, y]) => y));
  const { width, height, edge } = SPACE;
  const placed = points.map(([x, y]) => [
    edge + ((x - left) / wide) * (width - 2 * edge), height - edge - ((y - low) / high) * (height - 2 * edge),
  ]);
  const svg = shape("svg", { class: "curve", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name });
  svg.append(shape("polyline", { points: placed.map((at) => at.map((one) => one.toFixed(1)).join(",")).join(" ") }));
  svg.append(...placed.map(([cx, cy]) => shape("circle", { cx, cy, r: 2 })));
  return svg;
}
