// The page of the filter: drag the threshold, and see at once what it keeps and loses.

import { datasetRoot, element, stateFromHash, stateToHash } from "../dom.js";
import { getJson } from "../http.js";
import { drawFigures, drawLine, drawPending } from "./figures.js";
import { Settings } from "./settings.js";
import { Tiles } from "./tiles.js";

const SOON = 300; // ms after the last change of a field before figures are asked for
const SLOW = 60_000; // ms; the first table of a filter takes seconds
const now = { threshold: Number(document.body.dataset.threshold), band: Number(document.body.dataset.band), target: Number(document.body.dataset.target) };
const slider = element("threshold");
const tiles = new Tiles(Number(document.body.dataset.tiles));
const settings = new Settings({ threshold: () => chosen });

let chosen = now.threshold;
const place = (threshold) => Math.round(threshold * 10_000);
const own = JSON.parse(document.body.dataset.row); // the filter as it is
let rows = new Map([[place(own.threshold), own]]); // by threshold
let automatic = null;
let asked = 0;

// --- show a threshold

function show(threshold, { fixed = true } = {}) {
  chosen = Math.min(1, Math.max(0, threshold));
  slider.value = chosen;
  if (document.activeElement !== element("threshold-number")) element("threshold-number").value = chosen.toFixed(3);
  element("fixed").textContent = chosen.toFixed(3);
  if (fixed) document.querySelector("input[name=mode][value=fixed]").checked = true;
  const row = rows.get(place(chosen));
  const edges = row || bandAround(chosen);
  drawLine(edges);
  tiles.show(edges);
  if (row) drawFigures(row);
  else drawPending();
  settings.draw();
  rememberSoon();
}

/** The edges of the band, as the filter stage computes them. */
function bandAround(threshold) {
  const band = Number(element("unsure").value) || 0;
  return { threshold, low: Math.max(0, threshold - band), high: Math.min(threshold + band, Math.max(threshold, 0.99)) };
}

let soon;
function rememberSoon() {
  clearTimeout(soon);
  soon = setTimeout(() => {
    const differs = (name, value) => (Number(element(name).value) === value ? "" : element(name).value);
    stateToHash({ threshold: chosen.toFixed(3), unsure: differs("unsure", now.band), precision: differs("target", now.target) });
  }, SOON);
}

// --- ask for figures

async function load() {
  const mine = ++asked;
  if (Number(element("unsure").value) !== now.band) rows = new Map(); // those of another band
  const values = { unsure: element("unsure").value, precision: element("target").value };
  element("waiting").textContent = "The figures of all thresholds are being computed…";
  const squares = getJson(`${datasetRoot()}filter/squares`, { unsure: values.unsure });
  const table = getJson(`${datasetRoot()}filter/table`, values, SLOW);
  try {
    const found = await squares;
    if (mine !== asked) return table.catch(() => null);
    tiles.take(found);
    show(chosen, { fixed: false });
    takeTable(await table, mine);
    fault("");
  } catch (error) {
    table.catch(() => null);
    if (mine === asked) fault(error.message);
  }
  if (mine === asked) element("waiting").textContent = "";
}

function takeTable(found, mine) {
  if (mine !== asked) return;
  rows = new Map(found.rows.map((row) => [place(row.threshold), row]));
  automatic = found.auto;
  element("use-auto").disabled = false;
  element("use-auto").textContent = `Auto: ${automatic.toFixed(3)}`;
  element("auto-words").textContent = `With precision ${found.precision} that would be ${automatic.toFixed(3)}.`;
  if (document.querySelector("input[name=mode]:checked").value === "auto" && moved) show(automatic, { fixed: false });
  else show(chosen, { fixed: false });
}

function fault(text) {
  element("fault").hidden = !text;
  element("fault").textContent = text;
}

let later;
let moved = false; // the target or the band was changed, so that automatic means another threshold
function changed() {
  if (!element("unsure").checkValidity() || !element("target").checkValidity()) return;
  moved = true;
  clearTimeout(later);
  later = setTimeout(load, SOON);
}

// --- mouse and keys

slider.addEventListener("input", () => show(slider.valueAsNumber));
element("threshold-number").addEventListener("input", (event) => event.target.checkValidity() && event.target.value && show(event.target.valueAsNumber));
for (const name of ["unsure", "target"]) element(name).addEventListener("input", changed);
element("use-now").addEventListener("click", () => show(now.threshold));
element("use-auto").addEventListener("click", () => {
  document.querySelector("input[name=mode][value=auto]").checked = true;
  show(automatic, { fixed: false });
});
document.querySelector("input[name=mode][value=auto]").addEventListener("change", () => automatic !== null && show(automatic, { fixed: false }));

const plot = element("histogram");
plot.addEventListener("pointerdown", (event) => {
  plot.setPointerCapture(event.pointerId);
  follow(event);
});
plot.addEventListener("pointermove", (event) => plot.hasPointerCapture(event.pointerId) && follow(event));

/** The threshold under the pointer, to the step of the slider. */
function follow(event) {
  const { left, width } = plot.getBoundingClientRect();
  const step = Number(slider.step);
  show(Math.round((event.clientX - left) / width / step) * step);
  slider.focus({ preventScroll: true });
}

function restore() {
  const { threshold, unsure, precision } = stateFromHash();
  if (unsure) element("unsure").value = unsure;
  if (precision) element("target").value = precision;
  const given = Number(threshold);
  if (!threshold) show(chosen, { fixed: false });
  else if (given >= 0 && given <= 1) {
    const same = place(given) === place(now.threshold);
    show(given, { fixed: !same });
  }
}

window.addEventListener("hashchange", () => {
  restore();
  load();
});
restore();
settings.load();
load();
