// The page of settings: values and where they come from, changes, and what the next run would do with them.

import { datasetRoot, element, made, stateFromHash, stateToHash, toast } from "./dom.js";
import { getJson, sendJson } from "./http.js";
import { checkSoon, hasWords, rowOf, showProblem, showRows } from "./settings_check.js";

const dataset = document.body.dataset.dataset;
const remembered = document.body.dataset.remembered;
const API = `/api/v1/datasets/${encodeURIComponent(dataset)}/settings`;
const SLOW = 120_000; // ms: each answer is a process
const known = new Map();
const fields = () => [...document.querySelectorAll(".setting [name]")];

function fill(settings) {
  known.clear();
  for (const each of settings) {
    const row = rowOf(each.name);
    if (!row) continue;
    known.set(each.name, each);
    const field = row.querySelector("[name]");
    if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === each.value)) {
      field.append(new Option(each.value, each.value));
    }
    field.value = each.value;
    field.disabled = false;
    const isRemembered = each.origin === remembered;
    row.classList.toggle("remembered", isRemembered);
    row.dataset.origin = each.origin;
    row.querySelector(".origin").textContent = isRemembered ? "saved for this dataset" : each.origin;
    const back = row.querySelector(".back");
    back.hidden = !isRemembered;
    back.textContent = "Forget";
    back.setAttribute("aria-label", `forget ${each.name}: luigi.cfg or the default gives it again`);
    back.title = "luigi.cfg or the default gives it again";
    showProblem(each.name);
  }
  showChanges();
  filter();
}

const changed = () => fields().filter((field) => known.has(field.name) && field.value !== known.get(field.name).value);
const wrong = () => document.querySelectorAll(".setting [aria-invalid=true]").length;

function showChanges() {
  const names = new Set(changed().map((field) => field.name));
  for (const field of fields()) field.closest(".setting").classList.toggle("changed", names.has(field.name));
  element("save").disabled = !names.size || wrong() > 0;
  element("undo").disabled = !names.size;
  const text = names.size ? `${names.size} changed: ${[...names].join(", ")}` : "";
  element("changes").textContent = wrong() ? `${text}; correct what is marked first` : text;
}

function filter() {
  const { q = "", changed = "" } = stateFromHash();
  const count = showRows((row) => hasWords(row, q) && (!changed || row.dataset.origin !== "default"));
  element("count").textContent = known.size ? `${count} of ${known.size} settings` : "reading the values…";
}

async function plan() {
  element("plan-note").textContent = "asking…";
  try {
    const steps = await sendJson(`${datasetRoot()}plan`, { until: "" }, { timeout: SLOW });
    element("plan").replaceChildren(...steps.map(planRow));
    element("plan-note").textContent = "";
  } catch (error) {
    element("plan").replaceChildren();
    element("plan-note").textContent = error.message;
  }
}

function planRow({ stage, state, reason }) {
  const row = made("tr");
  const head = made("th", "", stage);
  head.scope = "row";
  row.append(head, made("td", "", state), made("td", "", reason));
  return row;
}

async function change(body, said) {
  element("save").disabled = true;
  try {
    const found = (await sendJson(API, body, { timeout: SLOW })).settings;
    const done = new Set([...Object.keys(body.values ?? {}), ...(body.forget ?? [])]);
    const pending = changed().filter((field) => !done.has(field.name)).map((field) => [field, field.value]);
    fill(found);
    for (const [field, value] of pending) {
      field.value = value;
      checkSoon(field, showChanges);
    }
    showChanges();
    element("problem").hidden = true;
    toast(said);
    plan();
  } catch (error) {
    showError(error);
    showChanges();
  }
}

function showError(error) {
  element("problem").textContent = error.message;
  element("problem").hidden = false;
  element("problem").scrollIntoView({ block: "center" });
}

const form = element("settings");
form.addEventListener("input", ({ target }) => {
  showChanges();
  if (target.name) checkSoon(target, showChanges);
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (element("save").disabled) return;
  const values = Object.fromEntries(changed().map((field) => [field.name, field.value]));
  change({ values }, `Saved for ${dataset}.`);
});
form.addEventListener("click", ({ target }) => {
  const name = target.classList.contains("back") && target.closest(".setting").dataset.name;
  if (name) change({ forget: [name] }, `${name} is no longer saved for ${dataset}.`);
});
element("undo").addEventListener("click", () => fill([...known.values()]));

const search = element("search");
search.addEventListener("submit", (event) => event.preventDefault());
search.addEventListener("input", () => {
  stateToHash(Object.fromEntries(new FormData(search)));
  filter();
});

function fillSearch() {
  const { q = "", changed = "" } = stateFromHash();
  search.elements.q.value = q;
  search.elements.changed.checked = Boolean(changed);
  filter();
}

window.addEventListener("hashchange", fillSearch);
window.addEventListener("beforeunload", (event) => changed().length && event.preventDefault());
fillSearch();
getJson(API, {}, SLOW).then(({ settings }) => fill(settings), (error) => {
  showError(error);
  element("count").textContent = "";
});
plan();
