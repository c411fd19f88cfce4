// The pages of a host: make a race, enter trainings, open and close the vote.
import { element, toast } from "./dom.js";
import { ask, sendJson } from "./http.js";

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

function onClick(name, work) {
  for (const button of document.querySelectorAll(`[data-${name}]`)) button.onclick = () => attempt(() => work(button.dataset));
}

onClick("state", ({ state }) => sendJson(root, { state }, { method: "PATCH" }));
onClick("archive", ({ archive }) => sendJson(root, { archived: archive === "true" }, { method: "PATCH" }));
onClick("draw", () => sendJson(`${root}/draw`, {}));
onClick("remove", ({ remove }) => ask(`${root}/entries/${remove}`, { method: "DELETE" }));
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
