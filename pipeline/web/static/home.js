// The home page: which cards are shown and in which order, cards of runs at work, archiving and deleting.

import { element, stateFromHash, stateToHash, toast } from "./dom.js";
import { ask, getJson } from "./http.js";

const POLL = 3000; // ms
const API = "/api/v1/datasets";
const filters = element("filters");
const cards = () => [...document.querySelectorAll("li.card")];

function show() {
  const { name = "", state = "", sort = "" } = stateFromHash();
  const wanted = name.trim().toLowerCase();
  let count = 0;
  for (const card of cards()) {
    card.hidden = !card.dataset.name.toLowerCase().includes(wanted) || Boolean(state && card.dataset.state !== state);
    count += !card.hidden;
  }
  element("shown").textContent = count === cards().length ? count : `${count} of ${cards().length}`;
  element("none").hidden = count > 0;
  const order = cards().sort(sort === "name" ? byName : (a, b) => compare(b.dataset.changed, a.dataset.changed));
  if (order.some((card, at) => card !== cards()[at])) element("cards").append(...order);
}

const compare = (a, b) => (a < b ? -1 : Number(a > b));
const byName = (a, b) => a.dataset.name.localeCompare(b.dataset.name);

function fill() {
  const state = stateFromHash();
  for (const field of filters.elements) if (field.name) field.value = state[field.name] ?? "";
  show();
}

function update(card, found) {
  card.className = `card ${found.state}`;
  Object.assign(card.dataset, { state: found.state, changed: found.changed });
  card.querySelector(".state").textContent = found.waits;
  for (const name of ["found", "saved", "squares", "kept"]) put(card, name, found[name]?.toLocaleString("en") ?? "–");
  const { on, off, skip } = found.labels;
  put(card, "labels", `${on} on, ${off} off target${skip ? `, ${skip} skipped` : ""}`);
  put(card, "run", runText(found.run));
  const bar = card.querySelector("progress");
  bar.hidden = found.run.state !== "running";
  if (found.run.percent === null) bar.removeAttribute("value");
  else bar.value = found.run.percent;
  const next = card.querySelector(".next");
  next.textContent = found.next.text;
  next.href = found.next.page;
  const picture = card.querySelector(".shot img");
  if (picture && found.picture && picture.getAttribute("src") !== found.picture) picture.src = found.picture;
}

function put(card, name, text) {
  const place = card.querySelector(`[data-of="${name}"]`);
  if (place.textContent !== text) place.textContent = text;
}

function runText(run) {
  if (run.state === "none") return "never ran";
  if (run.state !== "running") return run.state + (run.outcome && run.state !== "done" ? `: ${run.outcome}` : "");
  return ["running:", run.stage, run.percent === null ? "" : `${run.percent} %`, run.note].filter(Boolean).join(" ");
}

/** Ask about the runs at work, and once more about those that have ended since. */
async function poll() {
  if (!document.hidden) {
    try {
      const running = (await getJson(API, { state: "running" })).datasets;
      const names = new Set(running.map((each) => each.name));
      const ended = cards().filter((card) => card.dataset.state === "running" && !names.has(card.dataset.name));
      const found = await Promise.all(ended.map((card) => getJson(`${API}/${encodeURIComponent(card.dataset.name)}`)));
      for (const each of [...running, ...found]) {
        const card = cards().find((card) => card.dataset.name === each.name);
        if (card) update(card, each);
      }
      if (found.length || running.length) show();
    } catch {
      // the next one may succeed
    }
  }
  setTimeout(poll, POLL);
}

let subject = { name: "", id: "" };

/** Open the dialog about a dataset (`archived`: about an archive), and ask what it has. */
async function openRemoval(name, id, archived) {
  subject = { name, id };
  element("removal-title").textContent = archived ? `Delete ${name} for good` : `Archive or delete ${name}`;
  element("removal-has").textContent = "Counting what it has…";
  element("removal-kept").hidden = element("removal-archive").hidden = archived;
  element("removal-error").hidden = true;
  element("removal-name").value = "";
  element("removal-delete").disabled = true;
  element("removal").showModal();
  try {
    const found = await getJson(`${API}/${encodeURIComponent(id)}/holdings`, {}, 120_000);
    if (subject.id === id) element("removal-has").textContent = `It has ${found.text}.`;
  } catch (error) {
    element("removal-has").textContent = error.message;
  }
}

async function change(address, options, said) {
  const buttons = [...document.querySelectorAll("#removal button, [data-restore]")];
  buttons.forEach((button) => (button.disabled = true));
  try {
    await ask(address, options, 600_000);
    sessionStorage.setItem("said", said);
    location.reload();
  } catch (error) {
    element("removal-error").textContent = error.message;
    element("removal-error").hidden = false;
    if (!element("removal").open) toast(error.message);
    buttons.forEach((button) => (button.disabled = false));
    element("removal-delete").disabled = element("removal-name").value !== subject.name;
  }
}

const addressOf = (id, query = "") => `${API}/${encodeURIComponent(id)}${query}`;

document.addEventListener("click", ({ target }) => {
  const { remove, restore, erase, of } = target.dataset ?? {};
  if (remove) openRemoval(remove, remove, false);
  if (erase) openRemoval(of, erase, true);
  if (restore) {
    const headers = { "content-type": "application/json" };
    change(addressOf(restore, "/restore"), { method: "POST", headers, body: "{}" }, "The dataset is on the list again.");
  }
});
element("removal-name").addEventListener("input", ({ target }) => {
  element("removal-delete").disabled = target.value !== subject.name;
});
element("removal-archive").addEventListener("click", () =>
  change(addressOf(subject.id), { method: "DELETE" }, `${subject.name} is archived.`),
);
element("removal-delete").addEventListener("click", () =>
  change(addressOf(subject.id, "?permanently=true"), { method: "DELETE" }, `${subject.name} is deleted.`),
);
element("removal-form").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target === element("removal-name")) event.preventDefault();
});

if (filters) {
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("input", () => {
    stateToHash(Object.fromEntries(new FormData(filters)));
    show();
  });
  element("clear").addEventListener("click", () => {
    stateToHash({});
    fill();
  });
  window.addEventListener("hashchange", fill);
  fill();
  setTimeout(poll, POLL);
}
if (sessionStorage.getItem("said")) {
  toast(sessionStorage.getItem("said"));
  sessionStorage.removeItem("said");
}
