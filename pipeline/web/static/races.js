// The pages of a host: make a race, enter trainings, open and close the vote.
import { element, toast } from "./dom.js";
import { ask, getJson, sendJson } from "./http.js";

const race = document.body.dataset.race;
const root = `/api/v1/races/${race}`;

async function attempt(work) {
  try {
    await work();
    location.reload();
  } catch (error) {
    toast(error.message);
  }
}

function onClick(name, work, allowed = () => true) {
  for (const button of document.querySelectorAll(`[data-${name}]`)) {
    button.onclick = () => allowed(button.dataset) && attempt(() => work(button.dataset));
  }
}

const FINAL = "Close the vote for good? Nobody can vote afterwards, and names and counts are shown to everybody who has the link.";
const POLL_MS = 1000; // while tiles are drawn

function bind() {
  onClick("state", ({ state }) => sendJson(root, { state }, { method: "PATCH" }), ({ state }) => state !== "closed" || confirm(FINAL));
  onClick("draw", () => sendJson(`${root}/draw`, {}));
  onClick("remove", ({ remove }) => ask(`${root}/entries/${remove}`, { method: "DELETE" }));
  if (document.querySelector("[data-waiting]")) setTimeout(follow, POLL_MS);
}

// Only what depends on the tiles is replaced, so that a form that somebody fills in keeps its text
async function follow() {
  try {
    const waiting = (await getJson(root)).entries.filter((entry) => entry.tile === "waiting").length;
    if (waiting === document.querySelectorAll("[data-waiting]").length) return setTimeout(follow, POLL_MS);
    const answer = await fetch(location.pathname + location.search);
    if (!answer.ok) throw new Error("the page of this race cannot be loaded again");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["opening", "entries"]) element(id).replaceWith(fresh.getElementById(id));
    bind();
  } catch (error) {
    toast(error.message);
    setTimeout(follow, 5 * POLL_MS);
  }
}

bind();

for (const button of document.querySelectorAll("[data-copy]")) {
  button.onclick = async () => {
    const link = new URL(button.dataset.copy, location.href).href;
    try {
      await navigator.clipboard.writeText(link);
      toast("The link is copied.");
    } catch {
      toast(`This browser does not let a page copy; copy ${link}`);
    }
  };
}

onClick("archive", ({ archive }) => sendJson(root, { archived: archive === "true" }, { method: "PATCH" }));
onClick("enter", ({ enter, of }) => sendJson(`${root}/entries`, { dataset: of, training: enter }));

if (element("upload")) {
  element("upload").onsubmit = (event) => {
    event.preventDefault();
    attempt(() => ask(`${root}/entries`, { method: "POST", body: new FormData(event.target) }));
  };
}

if (element("new")) {
  element("new").onsubmit = async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.target));
    const number = (text) => (text ? Number(text) : null);
    const rule = { size: Number(given.size), dataset: given.dataset || null, minutes: number(given.minutes), epochs: number(given.epochs) };
    try {
      const made = await sendJson("/api/v1/races", { title: given.title, rule, ballot: given.ballot });
      location.href = `/races/${made.id}`;
    } catch (error) {
      toast(error.message);
    }
  };
}
