// Checks the values of a form of settings while a person writes, and shows what is wrong below each.

import { sendJson } from "./http.js";

const WAIT = 250; // ms after the last key
const timers = new Map();

/** The row of the setting `name`. */
export function rowOf(name) {
  return document.querySelector(`.setting[data-name="${CSS.escape(name)}"]`);
}

export function showProblem(name, line = "") {
  const row = rowOf(name);
  const place = row.querySelector(".wrong");
  place.textContent = line;
  place.hidden = !line;
  row.querySelector("input, select").setAttribute("aria-invalid", String(Boolean(line)));
}

/** Check the value of `field` soon; `then` is called when its problem is shown. */
export function checkSoon(field, then) {
  clearTimeout(timers.get(field.name));
  timers.set(field.name, setTimeout(() => check(field, then), WAIT));
}

async function check(field, then) {
  const { name, value } = field;
  try {
    const { problems } = await sendJson("/api/v1/settings/check", { values: { [name]: value } });
    if (field.value === value) showProblem(name, problems[name] ?? "");
  } catch (error) {
    showProblem(name, error.message);
  }
  then();
}

/** Show only the settings that `wanted(row)` accepts, and the groups that have some. */
export function showRows(wanted) {
  let count = 0;
  for (const group of document.querySelectorAll(".settings")) {
    let shown = 0;
    for (const row of group.querySelectorAll(".setting")) {
      row.hidden = !wanted(row);
      shown += !row.hidden;
    }
    group.hidden = !shown;
    count += shown;
  }
  return count;
}

/** Whether the words of a row have all words of `text` in them. */
export function hasWords(row, text) {
  const words = row.dataset.words.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => words.includes(word));
}
