// The page at /: models, versions, energy cards, and a form that asks for a prediction.

import { bars, element, frontier, joules, percent, raster } from "./drawing.js";
import { drawable, drawImage, fitted, fromCanvas, readNpy } from "./samples.js";

const $ = (id) => document.getElementById(id);
const pad = $("pad");
const state = { models: [], model: null, version: null, file: null };

async function ask(path, body, headers = {}) {
  const key = sessionStorage.getItem("key");
  const answer = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers: key ? { ...headers, "X-API-Key": key } : headers,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  // NaN is a token of TensorFlow Serving's JSON, and none of a browser's.
  const found = JSON.parse(text.replace(/(?<=[[,:])(NaN|-?Infinity)(?=[,\]}])/g, "null"));
  if (answer.status === 401) $("key").hidden = false;
  if (!answer.ok) throw new Error(found.error || `Status ${answer.status}`);
  return { found, headers: answer.headers };
}

async function attempt(work) {
  $("message").textContent = "";
  try {
    await work();
  } catch (error) {
    $("message").textContent = error.message;
  }
}

function labelsOf(version) {
  return Object.keys(state.model.labels).filter((k) => state.model.labels[k] === version.version);
}

function served() {
  return state.model.versions.filter((version) => version.state === "AVAILABLE");
}

async function load() {
  const { found } = await ask("api/models");
  state.models = found.models;
  if (!found.models.length) $("message").textContent = "There is no model to serve yet.";
  const before = state.model?.name;
  showModel(found.models.find((model) => model.name === before) || found.models[0]);
}

function showModel(model) {
  state.model = model || null;
  $("models").replaceChildren(
    ...state.models.map((each) => {
      const button = element("button", each.name, { type: "button" });
      button.setAttribute("aria-pressed", String(each === model));
      button.addEventListener("click", () => attempt(() => showModel(each)));
      return button;
    }),
  );
  for (const id of ["overview", "try", "card"]) $(id).hidden = !model;
  if (!model) return;
  $("name").textContent = model.name;
  const available = served();
  const choices = [["", "the newest"]];
  for (const version of available) {
    const labels = labelsOf(version);
    const text = labels.length ? `${version.version} (${labels.join(", ")})` : version.version;
    choices.push([String(version.version), text]);
  }
  $("which").replaceChildren(
    ...choices.map(([value, text]) => element("option", text, { value })),
  );
  showVersion(available.sort((a, b) => b.version - a.version)[0] || model.versions[0]);
  showSample();
}

function showVersion(version) {
  state.version = version;
  const head = element("tr");
  for (const title of ["version", "labels", "accuracy", "energy", "state"]) {
    head.append(element("th", title));
  }
  const rows = [...state.model.versions].sort((a, b) => b.version - a.version).map((each) => {
    const row = element("tr", "", { tabIndex: 0, title: each.error });
    row.setAttribute("aria-selected", String(each === version));
    const cells = [
      each.version,
      labelsOf(each).join(", "),
      percent(each.card?.evaluation?.accuracy),
      joules(each.card?.energy?.energy_joules),
      each.error ? `${each.state}: ${each.error}` : each.state,
    ];
    row.append(...cells.map((text) => element("td", text)));
    row.addEventListener("click", () => showVersion(each));
    row.addEventListener("keydown", (event) => event.key === "Enter" && showVersion(each));
    return row;
  });
  const [top, body] = [element("thead"), element("tbody")];
  top.append(head);
  body.append(...rows);
  $("versions").replaceChildren(top, body);
  showFrontier();
  showCard(version.card);
}

function showFrontier() {
  const points = served()
    .filter((each) => each.card?.energy?.energy_joules && each.card.evaluation?.accuracy != null)
    .map((each) => ({
      x: each.card.energy.energy_joules,
      y: each.card.evaluation.accuracy,
      name: labelsOf(each)[0] || `version ${each.version}`,
      chosen: each === state.version,
      choose: () => showVersion(each),
    }));
  $("frontier").hidden = points.length < 2;
  if (points.length > 1) frontier($("frontier"), points);
}

function showCard(card) {
  $("card").hidden = !card;
  if (!card) return;
  const { model, energy, evaluation, penalty } = card;
  $("card-of").textContent = `version ${state.version.version}`;
  const data = evaluation && `${evaluation.dataset.name || "given data"}, ${evaluation.n} samples`;
  const facts = [
    ["network", `${model.name}, ${model.parameters} parameters, T = ${model.time_steps}`],
    ["measured on", data || "nothing"],
    ["accuracy", percent(evaluation?.accuracy)],
    ["energy", `${joules(energy.energy_joules)} per sample`],
    ["of spikes", joules(energy.synaptic_energy_joules)],
    ["dense ANN", joules(energy.dense_ann_joules)],
    ["SynOps", energy.synops === null ? "\u2013" : energy.synops.toFixed(1)],
    ["spike rate", percent(energy.spike_rate)],
    ["penalty", penalty ? `${penalty.name}, \u03bb = ${penalty.lambda.toPrecision(4)}` : "none"],
    ["prices", `${card.energy_model.name}; ${card.energy_model.source}`],
  ];
  $("facts").replaceChildren(
    ...facts.flatMap(([name, text]) => [element("dt", name), element("dd", text)]),
  );
  const rows = card.layers.filter((layer) => layer.energy_joules !== null);
  bars($("layers"), rows.map((layer) => layerBar(layer, layer.energy_joules)));
  $("method").textContent = `${energy.method}: counted, not measured with a power meter.`;
}

function layerBar(layer, value) {
  return { name: layer.name, value, text: joules(value), kind: layer.kind };
}

// --- a prediction --------------------------------------------------------------------

function input() {
  return served()[0]?.card?.inputs?.[0];
}

function isImage(shape) {
  return shape?.length === 3 && [1, 3].includes(shape[2]) && shape.every((n) => n !== null);
}

function showSample() {
  const wanted = input();
  const single = served()[0]?.card?.inputs?.length === 1;
  $("try").hidden = !wanted || !single;
  $("answer").hidden = true;
  state.file = null;
  $("file").value = "";
  if (!wanted) return;
  const image = isImage(wanted.shape);
  pad.parentElement.hidden = !image;
  $("file").accept = image ? "image/*,.npy" : ".npy";
  const shape = `(${wanted.shape.map((n) => n ?? "?").join(", ")})`;
  $("file-label").firstElementChild.textContent = image
    ? "Image, or an array (.npy); or draw"
    : `Recorded events, a .npy array of shape ${shape}`;
  if (image) {
    [pad.height, pad.width] = wanted.shape;
    clearPad();
  }
}

function clearPad() {
  const pen = pad.getContext("2d", { willReadFrequently: true });
  pen.fillStyle = "#000";
  pen.fillRect(0, 0, pad.width, pad.height);
  state.file = null;
  $("file").value = "";
}

async function readFile(file) {
  if (file.name.endsWith(".npy")) {
    state.file = fitted(readNpy(await file.arrayBuffer()), input().shape);
    return;
  }
  const image = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name} is no image that this browser can read.`);
  });
  clearPad();
  drawImage(pad, image);
}

function sample() {
  const wanted = input();
  if (state.file) return state.file;
  if (!isImage(wanted.shape)) throw new Error("Choose a file first.");
  const { preprocessing } = served()[0].card;
  const whole = wanted.dtype.includes("int");
  const peak = preprocessing.peak ?? (whole ? 255 : 1);
  const values = fromCanvas(pad, wanted.shape, { ...preprocessing, peak });
  const [, width, channels] = wanted.shape;
  const right = whole ? values.map(Math.round) : values;
  return Array.from({ length: wanted.shape[0] }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const at = (y * width + x) * channels;
      return right.slice(at, at + channels);
    }),
  );
}

async function predict() {
  const instances = [sample()];
  const name = encodeURIComponent(state.model.name);
  const which = $("which").value;
  const budget = $("budget").value;
  const headers = budget ? { "X-Energy-Budget-nJ": budget } : {};
  const path = `v1/models/${name}${which && !budget ? `/versions/${which}` : ""}:predict`;
  const first = await ask(path, { signature_name: "energy_report", instances }, headers);
  const number = Number(first.headers.get("X-Model-Version"));
  const version = state.model.versions.find((each) => each.version === number);
  const exact = `v1/models/${name}/versions/${number}:predict`;
  const second = await ask(exact, { signature_name: "spikes", instances });
  showVersion(version);
  showAnswer(version, first.found.predictions[0], second.found.predictions[0]);
}

function showAnswer(version, answer, spikes) {
  const { card } = version;
  const values = answer[card.output];
  const scores = Array.isArray(values) ? values : [values];
  const most = Math.max(...scores);
  const best = scores.indexOf(most);
  const exps = scores.map((value) => Math.exp(value - most));
  const sum = exps.reduce((a, b) => a + b, 0);
  const shares = { logits: exps.map((e) => e / sum), probabilities: scores }[card.output];
  const labels = card.labels || scores.map((_, k) => String(k));
  const labelled = labelsOf(version).length ? ` (${labelsOf(version).join(", ")})` : "";
  $("verdict").textContent =
    `${shares ? labels[best] : scores.map((v) => v.toPrecision(4)).join(", ")}, ` +
    `for ${joules(answer.energy_joules)}, by version ${version.version}${labelled}`;
  bars(
    $("classes"),
    shares ? shares.map((value, k) => ({ name: labels[k], value, text: percent(value, 1) })) : [],
  );
  bars(
    $("spent"),
    card.layers.map((layer) => {
      const price = layer.price_joules;
      const fired = answer[`${layer.key}_spikes`] ?? 0;
      const executed = answer[`${layer.key}_synops`] ?? 0;
      const cost = price.constant + price.per_spike * fired + price.per_synop * executed;
      return layerBar(layer, cost);
    }),
  );
  const color = getComputedStyle(document.documentElement).getPropertyValue("--spike");
  const layers = card.layers.filter((layer) => spikes[layer.key] || layer.key in spikes);
  const single = Array.isArray(spikes); // with one layer, rows have no names
  $("raster").replaceChildren(
    ...(single
      ? [raster(card.layers.find((layer) => layer.kind !== "analogue").name, spikes, color)]
      : layers.map((layer) => raster(layer.name, spikes[layer.key], color))),
  );
  $("answer").hidden = false;
}

$("predict").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(predict);
});
$("clear").addEventListener("click", clearPad);
$("file").addEventListener("change", () =>
  attempt(() => $("file").files[0] && readFile($("file").files[0])),
);
$("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", $("key-value").value);
  $("key").hidden = true;
  attempt(load);
});
addEventListener("resize", () => state.model && showFrontier());
drawable(pad, () => {
  state.file = null;
});
attempt(load);
