// The page of runs: filter and order, choose some to compare; stars, names and notes are saved as they are given.

import { datasetRoot, element, toast } from "/static/dom.js";
import { sendJson } from "/static/http.js";

const MOST = 6; // that one comparison shows
const api = document.body.dataset.api;
const chosen = () => [...document.querySelectorAll(".choose-one:checked")];

/** Open the page with what the fields ask for, without the empty ones. */
function filter() {
  const list = new URLSearchParams(location.search).get("list");
  const query = new URLSearchParams(list ? { list } : {});
  for (const [name, usual] of [["show", "all"], ["sort", "newest"], ["text", ""]]) {
    const { value } = element(name);
    if (value !== usual) query.set(name, value);
  }
  location.assign(`${location.pathname}?${query}`);
}

function showChosen() {
  const count = chosen().length;
  element("chosen").textContent = `${count} chosen`;
  element("compare").disabled = count < 2 || count > MOST;
  if (count > MOST) toast(`Choose ${MOST} at most: more do not fit beside each other.`);
}

function compare() {
  const boxes = chosen();
  const query = new URLSearchParams(boxes.map((box) => [box.dataset.list, box.value]));
  location.assign(`${datasetRoot()}compare?${query}`);
}

/** Save a change of the note that `fields` shows; the page then shows what the server has. */
async function save(fields, change) {
  const { kind, id } = fields.dataset;
  try {
    const note = await sendJson(`${api}/notes/${kind}/${encodeURIComponent(id)}`, change, { method: "PUT" });
    const star = fields.querySelector(".star");
    star.setAttribute("aria-pressed", String(note.star));
    star.textContent = note.star ? "★" : "☆";
    if (document.activeElement !== fields.querySelector(".name")) fields.querySelector(".name").value = note.name;
    toast("Saved.");
  } catch (error) {
    toast(`Not saved: ${error.message}`);
  }
}

function listen(fields) {
  const text = fields.querySelector(".note-text");
  const open = fields.querySelector(".note-open");
  fields.querySelector(".star").addEventListener("click", (event) => {
    save(fields, { star: event.currentTarget.getAttribute("aria-pressed") !== "true" });
  });
  fields.querySelector(".name").addEventListener("change", (event) => save(fields, { name: event.target.value }));
  fields.querySelector(".name").addEventListener("keydown", (event) => event.key === "Enter" && event.target.blur());
  text.addEventListener("change", () => save(fields, { note: text.value }));
  open.addEventListener("click", () => {
    text.hidden = !text.hidden;
    open.setAttribute("aria-expanded", String(!text.hidden));
    if (!text.hidden) text.focus();
  });
}

for (const id of ["show", "sort", "text"]) element(id)?.addEventListener("change", filter);
for (const box of document.querySelectorAll(".choose-one")) box.addEventListener("change", showChosen);
document.querySelectorAll(".note-fields").forEach(listen);
element("compare").addEventListener("click", compare);
showChosen();
