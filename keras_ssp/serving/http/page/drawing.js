// Pictures of plain values: bars, a frontier, rasters of spikes.

export function element(tag, text = "", properties = {}) {
  const made = document.createElement(tag);
  made.textContent = text; // never HTML: names are a stranger's
  return Object.assign(made, properties);
}

const UNITS = ["J", "mJ", "\u00b5J", "nJ", "pJ", "fJ"];

export function joules(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "\u2013";
  if (value === 0) return "0 J";
  let unit = 0;
  while (Math.abs(value) < 0.9995 && unit < UNITS.length - 1) {
    value *= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(4))} ${UNITS[unit]}`;
}

export function percent(value, digits = 2) {
  return value === null || value === undefined ? "\u2013" : `${(100 * value).toFixed(digits)} %`;
}

// rows: [{name, value, text, kind}]; the longest bar fills the width.
export function bars(box, rows) {
  const most = Math.max(...rows.map((row) => row.value), 0) || 1;
  box.replaceChildren(
    ...rows.map((row) => {
      const line = element("div", "", { className: "bar" });
      const track = element("div", "", { className: "track" });
      const fill = element("div", "", { className: `fill ${row.kind || ""}` });
      fill.style.width = `${(100 * row.value) / most}%`;
      track.append(fill);
      line.append(element("span", row.name, { title: row.name }), track, element("span", row.text));
      return line;
    }),
  );
}

const SVG = "http://www.w3.org/2000/svg";

function shape(tag, attributes, text = "") {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

// points: [{x: joules, y: accuracy, name, chosen, choose}]; energy on a log scale.
export function frontier(box, points) {
  box.querySelector("svg")?.remove();
  const width = Math.max(box.clientWidth, 280); // so that text keeps its size
  const [height, left, right, top, bottom] = [260, 52, 84, 14, 42];
  const logs = points.map((point) => Math.log10(point.x));
  const span = (values, least) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const margin = Math.max((least - (high - low)) / 2, 0.08 * (high - low));
    return [low - margin, high + margin];
  };
  const [x0, x1] = span(logs, 0.1);
  const [y0, y1] = span(points.map((point) => point.y), 0.02);
  const x = (value) => left + ((Math.log10(value) - x0) / (x1 - x0)) * (width - left - right);
  const y = (value) => height - bottom - ((value - y0) / (y1 - y0)) * (height - top - bottom);
  const picture = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  picture.append(shape("title", {}, "Accuracy against energy per sample"));
  for (const value of [y0 + 0.1 * (y1 - y0), (y0 + y1) / 2, y1 - 0.1 * (y1 - y0)]) {
    picture.append(
      shape("line", { class: "axis", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      shape("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, percent(value, 1)),
    );
  }
  for (const part of [0.05, 0.5, 0.95]) {
    const value = 10 ** (x0 + part * (x1 - x0));
    const label = joules(Number(value.toPrecision(2)));
    picture.append(
      shape("line", { class: "axis", x1: x(value), x2: x(value), y1: top, y2: height - bottom }),
      shape("text", { x: x(value), y: height - bottom + 18, "text-anchor": "middle" }, label),
    );
  }
  const middle = (left + width - right) / 2;
  const under = { x: middle, y: height - 6, "text-anchor": "middle" };
  picture.append(shape("text", under, "energy per sample, log scale"));
  const ordered = [...points].sort((a, b) => a.x - b.x);
  let best = -Infinity;
  const steps = [];
  for (const point of ordered.filter((each) => each.y > best && (best = each.y))) {
    steps.push(`${steps.length ? "L" : "M"}${x(point.x)},${y(point.y)}`);
  }
  picture.append(shape("path", { class: "front", d: steps.join(" ") }));
  for (const point of ordered) {
    const dot = shape("circle", { class: "dot", cx: x(point.x), cy: y(point.y), r: 6 });
    dot.append(shape("title", {}, `${point.name}: ${percent(point.y)} at ${joules(point.x)}`));
    dot.addEventListener("click", point.choose);
    picture.append(dot);
    if (point.chosen) {
      picture.append(shape("circle", { class: "chosen", cx: x(point.x), cy: y(point.y), r: 10 }));
    }
  }
  ordered.forEach((point, k) => {
    // Beside the dot; above it where the next one is in the way.
    const next = ordered[k + 1];
    const room = 16 + 8 * point.name.length;
    const near = (other) =>
      other && x(other.x) - x(point.x) < room && Math.abs(y(other.y) - y(point.y)) < 18;
    const above = near(next) ? { x: x(point.x), y: y(point.y) - 12 } : {};
    const place = { x: x(point.x) + 13, y: y(point.y) + 4, ...above };
    const anchor = above.x ? "middle" : "start";
    picture.append(shape("text", { class: "name", "text-anchor": anchor, ...place }, point.name));
  });
  box.append(picture);
}

const MOST_ROWS = 256;

// spikes: nested lists (T, ...) of one sample; neurons that share a row are added up.
export function raster(name, spikes, color) {
  const steps = spikes.map((step) => (Array.isArray(step) ? step.flat(Infinity) : [step]));
  const neurons = steps[0].length;
  const rows = Math.min(neurons, MOST_ROWS);
  const wide = Math.max(1, Math.min(14, Math.floor(280 / steps.length)));
  const high = Math.max(1, Math.min(8, Math.floor(220 / rows)));
  const canvas = element("canvas", "", { width: steps.length * wide, height: rows * high });
  const pen = canvas.getContext("2d");
  const shared = Math.ceil(neurons / rows);
  let fired = 0;
  steps.forEach((step, t) => {
    const sums = new Float64Array(rows);
    step.forEach((spike, k) => {
      sums[Math.floor((k * rows) / neurons)] += spike;
      fired += spike;
    });
    sums.forEach((sum, row) => {
      if (!sum) return;
      pen.globalAlpha = Math.min(1, 0.35 + (0.65 * sum) / shared);
      pen.fillStyle = color;
      pen.fillRect(t * wide, row * high, Math.max(wide - 1, 1), Math.max(high - (high > 2), 1));
    });
  });
  const figure = element("figure");
  const counted = `${fired} spike${fired === 1 ? "" : "s"}, ${neurons} neurons, T = ${steps.length}`;
  const caption = element("figcaption", name);
  caption.append(element("br"), element("small", counted));
  figure.append(caption, canvas);
  return figure;
}
