// The editor of a definition: checks while a person writes, saving as a new file, and choosing it for a dataset.

import { element, made } from "./dom.js";
import { sendJson } from "./http.js";

const API = "/api/v1/definitions";
const WAIT = 300; // ms after the last key
const own = document.body.dataset.builtIn ? "" : document.body.dataset.definition;
const text = element("text");
const name = element("name");
let saved = text.defaultValue; // what the server sent: a fast hand or a restored page may have changed the field already
let line = null;
let usable = false;
let timer;

function show(found) {
  usable = !found.error;
  line = found.line;
  element("state").textContent = found.error || "It can be used.";
  element("state").classList.toggle("alarm", !usable);
  text.setAttribute("aria-invalid", String(!usable));
  element("jump-place").hidden = line === null;
  element("jump").textContent = `Show line ${line}`;
  list("warnings", found.warnings);
  if (usable) {
    list("differences", found.differences);
    element("same").hidden = found.differences.length > 0;
    element("description").textContent = found.description;
    element("loss").textContent = found.loss;
    element("sizes").textContent = `${found.sizes.join(", ")} px`;
    element("translation").hidden = !found.translated;
    element("translated").textContent = found.translated;
  }
  showSave();
}

function list(id, lines) {
  element(id).replaceChildren(...lines.map((each) => made("li", "", each)));
}

function showSave() {
  const differs = text.value !== saved || (name.value && name.value !== own);
  element("save").disabled = !usable || !name.value || !differs;
  if (element("train")) showTrain(text.value !== saved);
}

/** A run uses what is saved, so the text that is being written cannot be chosen. */
function showTrain(unsaved) {
  if (element("use").disabled === unsaved) return;
  element("use").disabled = unsaved;
  element("trained").textContent = unsaved ? "Save it first: a run uses what is saved." : "";
}

async function check() {
  const checked = text.value;
  try {
    const found = await sendJson(`${API}/check`, { text: checked, name: name.value || document.body.dataset.definition });
    if (text.value === checked) show(found);
  } catch (error) {
    usable = false;
    element("state").textContent = error.message;
    showSave();
  }
}

function checkSoon() {
  usable = false;
  showSave();
  clearTimeout(timer);
  timer = setTimeout(check, WAIT);
}

async function save(replace) {
  const sent = { text: text.value, replace };
  element("problem").hidden = true;
  try {
    await sendJson(`${API}/${encodeURIComponent(name.value)}`, sent, { method: "PUT" });
    saved = sent.text;
    element("saved").textContent = `saved as models/${name.value}.json`;
    if (name.value !== own) location.href = `/definitions/${encodeURIComponent(name.value)}`;
    showSave();
  } catch (error) {
    if (error.status === 409 && !replace) return confirmReplace();
    element("problem").textContent = error.message;
    element("problem").hidden = false;
  }
}

function confirmReplace() {
  element("replace-title").textContent = `Replace models/${name.value}.json?`;
  element("replace").returnValue = "";
  element("replace").showModal();
}

element("replace").addEventListener("close", () => element("replace").returnValue === "yes" && save(true));
element("editor").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!element("save").disabled) save(false);
});
text.addEventListener("input", checkSoon);
name.addEventListener("input", checkSoon);
element("jump").addEventListener("click", () => {
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
});
element("train")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const dataset = element("dataset").value;
  const values = { "gan.definition": document.body.dataset.definition };
  const place = element("trained");
  place.textContent = "saving…";
  try {
    await sendJson(`/api/v1/datasets/${encodeURIComponent(dataset)}/settings`, { values }, { timeout: 120_000 });
    const link = made("a", "", "see what it would do");
    link.href = `/d/${encodeURIComponent(dataset)}/`;
    place.replaceChildren(`The next run of ${dataset} uses it; `, link, ".");
  } catch (error) {
    place.textContent = error.message;
  }
});
window.addEventListener("beforeunload", (event) => text.value !== saved && event.preventDefault());
check();
