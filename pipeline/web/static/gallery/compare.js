// The comparison: sheets under one slider, and how labels and kept squares differ.

import { datasetRoot, element, made, toast } from "/static/dom.js";
import { getJson } from "/static/http.js";
import { LABEL_NAMES } from "/static/label/texts.js";
import { followClicks, moveCursors } from "./cursor.js";
import { Viewer } from "./viewer.js";

const { api, query } = document.body.dataset;
const WAIT = 60_000; // ms: the rows of several filters of 100,000 squares take a while the first time

async function start() {
  const { subjects } = await getJson(`${api}/comparison?${query}`);
  showViewer(subjects);
  try {
    const { sets } = await getJson(`${api}/comparison/squares?${query}`, {}, WAIT);
    const named = sets.map((set, number) => ({ ...set, name: `${"ABCDEF"[number]}: ${subjects[number].title}` }));
    element("labels").replaceChildren(...labels(named));
    element("kept").replaceChildren(...kept(named));
  } catch (error) {
    for (const id of ["labels", "kept"]) element(id).textContent = error.message;
  }
}

function showViewer(subjects) {
  const details = new Map(subjects.filter(({ training }) => training).map(({ training }) => [training.id, training]));
  const shown = [...document.querySelectorAll(".side[data-training]")].map(({ dataset }) => details.get(dataset.training));
  if (!shown.length) return;
  const viewer = new Viewer(shown, { onMove: (epoch) => moveCursors(element("charts"), epoch) });
  followClicks(element("charts"), (epoch) => viewer.toEpoch(epoch));
}

function labels(sets) {
  const list = facts(sets.map(({ name, labels }) => [name, labels]));
  return [list, ...sets.slice(1).map((set) => against(set, sets[0], set.label_changes.map(labelChange), "the labels are the same"))];
}

function labelChange({ before, after, count, ids }) {
  const words = `${count} ${before ? LABEL_NAMES[before] : "without a label"} → ${after ? LABEL_NAMES[after] : "without a label"}`;
  return [made("h4", "", words), thumbnails(ids)];
}

function kept(sets) {
  const list = facts(sets.map(({ name, kept }) => [name, kept]));
  return [list, ...sets.slice(1).map((set) => against(set, sets[0], keptChanges(set, sets[0]), "the same squares are kept"))];
}

function keptChanges({ kept_before: before, kept_now: now, name }, first) {
  if (!before || !now) return [[made("p", "dim", "which squares differ is not known")]];
  const parts = [[before, `only in ${first.name}`], [now, `only in ${name}`]];
  return parts
    .filter(([part]) => part.count)
    .map(([part, words]) => [made("h4", "", `${part.count.toLocaleString("en")} ${words}`), thumbnails(part.ids)]);
}

function against(set, first, parts, same) {
  const section = made("section", "against");
  section.append(made("h3", "", `${set.name} against ${first.name}`));
  section.append(...(parts.length ? parts.flat() : [made("p", "dim", same)]));
  return section;
}

function facts(rows) {
  const list = made("dl", "facts");
  for (const [name, words] of rows) list.append(made("dt", "", name), made("dd", "", words));
  return list;
}

function thumbnails(ids) {
  const row = made("div", "thumbs");
  for (const id of ids) {
    const image = made("img");
    image.loading = "lazy";
    image.alt = `square ${id.slice(0, 8)}`;
    image.src = `${datasetRoot()}square/${id}`;
    row.append(image);
  }
  return row;
}

start().catch((error) => toast(error.message));
