// The gallery page: one training, or two beside each other.

import { element, toast } from "/static/dom.js";
import { getJson } from "/static/http.js";
import { followClicks, moveCursors } from "./cursor.js";
import { Viewer } from "./viewer.js";

const POLL = 4000; // ms between two looks for new sheets while a training runs
const api = document.body.dataset.api;
const ids = [...document.querySelectorAll(".side[data-training]")].map((figure) => figure.dataset.training);
let viewer;

async function start() {
  for (const id of ["training", "beside"]) element(id).addEventListener("change", choose);
  const details = await Promise.all(ids.map((id) => getJson(`${api}/trainings/${id}`)));
  viewer = new Viewer(details, { onMove: cursors });
  cursors();
  listenToFacts();
  fitReals();
  if (document.body.dataset.running) setTimeout(poll, POLL);
}

/** Open the page for other trainings; the place of the slider stays in the address. */
function choose() {
  const query = new URLSearchParams({ training: element("training").value });
  if (element("beside").value) query.set("beside", element("beside").value);
  location.assign(`${location.pathname}?${query}${location.hash}`);
}

function listenToFacts() {
  const facts = element("facts");
  followClicks(facts, (epoch, chart) => viewer.toEpoch(epoch, sheetsOf(chart)));
  facts.addEventListener("click", (event) => {
    const button = event.target.closest(".go");
    if (button) viewer.toEpoch(Number(button.dataset.epoch), sheetsOf(button));
  });
}

/** The sheets of the training whose facts contain `inner`. */
function sheetsOf(inner) {
  const place = [...element("facts").children].findIndex((section) => section.contains(inner));
  return viewer.sides[Math.max(0, place)].sheets;
}

function cursors() {
  [...element("facts").children].forEach((section, number) => {
    const side = viewer ? viewer.sides[number] : null;
    const sheet = side && side.number >= 0 ? side.sheets.list[side.number] : null;
    moveCursors(section, sheet ? sheet.epoch : null);
  });
}

/** The reals are as large as the samples beside them. */
function fitReals() {
  for (const image of document.querySelectorAll(".reals img")) {
    const fit = () => {
      const width = viewer.sides[0].width;
      if (width && image.naturalWidth) image.style.width = `${(image.naturalWidth * parseFloat(viewer.sides[0].image.style.width)) / width}px`;
    };
    const later = () => (viewer.sides[0].width ? fit() : setTimeout(later, 100));
    if (image.complete) later();
    else image.addEventListener("load", later);
    window.addEventListener("resize", fit);
  }
}

/** Look for new sheets, and show what is new of the facts. */
async function poll() {
  try {
    const details = await Promise.all(ids.map((id) => getJson(`${api}/trainings/${id}`)));
    const running = details.some((detail) => detail.state === "running");
    const grew = details.map((detail) => viewer.update(detail)).some(Boolean);
    element("live").textContent = running ? "A training runs: new sheets appear here by themselves." : "";
    if (grew || !running) await refreshFacts();
    if (!running) return;
  } catch (error) {
    element("live").textContent = error.message;
  }
  setTimeout(poll, POLL);
}

/** Take the facts and curves of this page as the server writes it now. */
async function refreshFacts() {
  const answer = await fetch(location.pathname + location.search, { headers: { accept: "text/html" } });
  if (!answer.ok) return toast(`the facts cannot be read: status ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const facts = page.getElementById("facts");
  if (facts) element("facts").replaceChildren(...document.importNode(facts, true).childNodes);
  for (const figure of document.querySelectorAll(".side[data-training]")) {
    const state = page.querySelector(`.side[data-training="${figure.dataset.training}"] .state`);
    if (state) figure.querySelector(".state").replaceWith(document.importNode(state, true));
  }
  cursors();
}

if (ids.length) start().catch((error) => toast(error.message));
