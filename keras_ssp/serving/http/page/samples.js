// Samples out of files and drawings, as nested lists in the shape of the model.

const READERS = {
  "|b1": (view, k) => view.getUint8(k),
  "|u1": (view, k) => view.getUint8(k),
  "|i1": (view, k) => view.getInt8(k),
  "<u2": (view, k) => view.getUint16(2 * k, true),
  "<i2": (view, k) => view.getInt16(2 * k, true),
  "<i4": (view, k) => view.getInt32(4 * k, true),
  "<u4": (view, k) => view.getUint32(4 * k, true),
  "<i8": (view, k) => Number(view.getBigInt64(8 * k, true)),
  "<f4": (view, k) => view.getFloat32(4 * k, true),
  "<f8": (view, k) => view.getFloat64(8 * k, true),
};

// A .npy file of NumPy: {shape, values}.
export function readNpy(buffer) {
  const view = new DataView(buffer);
  const magic = [...new Uint8Array(buffer, 0, Math.min(6, buffer.byteLength))];
  if (String.fromCharCode(...magic) !== "\u0093NUMPY") throw new Error("This is no .npy file.");
  const wide = view.getUint8(6) > 1;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (wide ? 12 : 10) + length;
  const header = new TextDecoder("latin1").decode(buffer.slice(wide ? 12 : 10, start));
  const kind = /'descr':\s*'([^']*)'/.exec(header)?.[1];
  const sizes = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (!READERS[kind] || sizes === undefined || /'fortran_order':\s*True/.test(header)) {
    throw new Error(`Arrays of dtype ${kind} in this order cannot be read. Save it as float32.`);
  }
  const shape = sizes.split(",").filter((n) => n.trim()).map(Number);
  const count = shape.reduce((a, b) => a * b, 1);
  const data = new DataView(buffer, start);
  return { shape, values: Array.from({ length: count }, (_, k) => READERS[kind](data, k)) };
}

export function nested(values, shape) {
  if (shape.length <= 1) return values;
  const size = values.length / shape[0];
  return Array.from({ length: shape[0] }, (_, k) =>
    nested(values.slice(k * size, (k + 1) * size), shape.slice(1)),
  );
}

// The first sample of an array, if it has the shape that is wanted.
export function fitted({ shape, values }, wanted) {
  const fits = (found) =>
    found.length === wanted.length && found.every((n, k) => wanted[k] === null || n === wanted[k]);
  if (fits(shape)) return nested(values, shape);
  if (fits(shape.slice(1)) && shape[0] > 0) {
    return nested(values.slice(0, values.length / shape[0]), shape.slice(1));
  }
  throw new Error(`The array must be of shape (${wanted.join(", ")}). It is (${shape.join(", ")}).`);
}

// Pixels of a canvas in the scale of the model's input.
export function fromCanvas(canvas, shape, { peak, inside, scale, shift }) {
  const [height, width, channels] = shape;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const values = [];
  for (let k = 0; k < width * height; k += 1) {
    const [red, green, blue] = [data[4 * k], data[4 * k + 1], data[4 * k + 2]];
    const gray = 0.299 * red + 0.587 * green + 0.114 * blue;
    const colors = channels === 1 ? [gray] : [red, green, blue];
    colors.slice(0, channels).forEach((value, c) => {
      const stored = (value / 255) * peak;
      const k2 = scale ? c % scale.length : 0;
      values.push(inside || !scale ? stored : stored * scale[k2] + shift[k2]);
    });
  }
  return values;
}

export function drawImage(canvas, image) {
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  const side = Math.min(image.width, image.height);
  const [x, y] = [(image.width - side) / 2, (image.height - side) / 2];
  pen.drawImage(image, x, y, side, side, 0, 0, canvas.width, canvas.height);
}

// Drawing by pointer; calls `changed` after each stroke.
export function drawable(canvas, changed) {
  let last = null;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * canvas.width,
      ((event.clientY - box.top) / box.height) * canvas.height,
    ];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = at(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const pen = canvas.getContext("2d");
    const next = at(event);
    pen.strokeStyle = "#fff";
    pen.lineCap = "round";
    pen.lineWidth = Math.max(1, canvas.width / 12);
    pen.beginPath();
    pen.moveTo(...last);
    pen.lineTo(...next);
    pen.stroke();
    last = next;
  });
  canvas.addEventListener("pointerup", () => {
    if (last) changed();
    last = null;
  });
}
