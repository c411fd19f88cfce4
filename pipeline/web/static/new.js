// The page of a new dataset: which source, checks while a person writes, and making it.

import { element, stateFromHash, stateToHash } from "./dom.js";
import { getJson, sendJson } from "./http.js";
import { checkSoon, hasWords, showRows } from "./settings_check.js";
import { gather, gathered, inWords, sendAll } from "./uploads.js";

const API = "/api/v1/datasets";
const SLOW = 120_000; // ms: the settings are saved by a process
const FIELDS = { words: ["query", "sources"], site: ["site"], addresses: ["addresses"], folder: ["folder"], pictures: [] };
const form = element("new");
const timers = {};
let made = "";

const source = () => form.elements.source.value;

function showSource() {
  for (const panel of document.querySelectorAll(".panel")) panel.hidden = panel.dataset.source !== source();
}

/** Ask `address` about the text of `field` soon, and give the answer to `show` if the text is still the same. */
function askSoon(field, address, values, show) {
  clearTimeout(timers[field.id]);
  const text = field.value;
  timers[field.id] = setTimeout(async () => {
    try {
      const found = await getJson(address, values);
      if (field.value === text) show(found);
    } catch (error) {
      show({ problem: error.message, note: "" });
    }
  }, 250);
}

function showName({ problem }) {
  element("name-problem").textContent = problem;
  element("name-problem").hidden = !problem;
  element("name").setAttribute("aria-invalid", String(Boolean(problem)));
}

function showFolder({ problem, note }) {
  element("folder-note").textContent = problem || note;
  element("folder-note").className = problem ? "wrong" : "dim";
}

function settings() {
  const chosen = [...document.querySelectorAll(".setting [name]")].filter((field) => field.value.trim() !== "");
  return Object.fromEntries(chosen.map((field) => [field.name, field.value]));
}

function body() {
  const texts = Object.fromEntries(FIELDS[source()].map((name) => [name, form.elements[name].value]));
  return { name: element("name").value, source: source(), ...texts };
}

async function make() {
  const wanted = body();
  const address = `${API}/${encodeURIComponent(wanted.name)}/pictures`;
  if (wanted.source !== "pictures" || !gathered().length) {
    return { page: (await sendJson(API, { ...wanted, settings: settings() }, { timeout: SLOW })).page, note: "" };
  }
  const found = await sendAll(API, address, { ...wanted, settings: JSON.stringify(settings()) });
  return { page: found.page, note: inWords(found) };
}

function showMade({ page, note }) {
  made = element("name").value;
  form.hidden = true;
  element("made").hidden = false;
  element("made").querySelector("h2").textContent = `${made} is made`;
  element("made-note").textContent = note;
  element("later").href = page;
  element("start").hidden = source() === "pictures" && !gathered().length;
  element("made").focus();
}

function showProblem(place, error) {
  element(place).textContent = error.message;
  element(place).hidden = false;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  element("problem").hidden = true;
  element("make").disabled = true;
  element("making").textContent = gathered().length && source() === "pictures" ? "sending the pictures…" : "making…";
  try {
    showMade(await make());
  } catch (error) {
    showProblem("problem", error);
  }
  element("make").disabled = false;
  element("making").textContent = "";
});
form.addEventListener("input", ({ target }) => {
  if (target.name === "source") {
    stateToHash({ source: source() });
    showSource();
  } else if (target.id === "name") askSoon(target, "/new/name", { name: target.value }, showName);
  else if (target.id === "folder") askSoon(target, "/new/folder", { path: target.value }, showFolder);
  else if (target.id === "more-search") showRows((row) => hasWords(row, row.closest(".more") ? target.value : ""));
  else if (target.closest(".setting")) checkSoonOrClear(target);
});

function checkSoonOrClear(field) {
  if (field.value.trim()) return checkSoon(field, () => {});
  const place = field.closest(".setting").querySelector(".wrong");
  place.hidden = true;
  field.removeAttribute("aria-invalid");
}

element("address-file").addEventListener("change", async ({ target }) => {
  if (target.files[0]) element("addresses").value = await target.files[0].text();
  target.value = "";
});
element("start").addEventListener("click", async () => {
  element("start").disabled = true;
  try {
    await sendJson("/api/v1/jobs", { dataset: made, until: "normalize" }, { timeout: SLOW });
    location.href = element("later").href;
  } catch (error) {
    showProblem("start-problem", error);
    element("start").disabled = false;
  }
});

const asked = stateFromHash().source;
if (asked && [...form.elements.source].some((radio) => radio.value === asked)) form.elements.source.value = asked;
showSource();
gather();
const early = element("name"); // somebody may have typed before this script ran
if (early.value) askSoon(early, "/new/name", { name: early.value }, showName);
