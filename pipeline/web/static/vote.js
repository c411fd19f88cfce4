// Vote blind: choose a tile, or put tiles in order. The server knows this browser by a cookie only.
import { element, made } from "./dom.js";
import { getJson, sendJson } from "./http.js";

const root = location.pathname.replace(/\/$/, "");
let ballot;
let choice = [];

function choose(id) {
  if (choice.includes(id)) choice = choice.filter((each) => each !== id);
  else choice = ballot.kind === "one" ? [id] : [...choice, id];
  mark();
}

function mark() {
  for (const figure of document.querySelectorAll("#tiles figure")) {
    const place = choice.indexOf(figure.dataset.id);
    figure.classList.toggle("chosen", place >= 0);
    const button = figure.querySelector("[data-choose]");
    button.setAttribute("aria-pressed", String(place >= 0));
    button.textContent = place < 0 ? "Choose" : ballot.kind === "one" ? "Chosen" : `Place ${place + 1}`;
  }
  element("send").disabled = !choice.length;
  element("send").textContent = ballot.choice.length ? "Change my vote" : "Vote";
}

function figure(id, number) {
  const shown = made("figure");
  shown.dataset.id = id;
  const image = made("img", "pixels");
  image.src = `${root}/tile/${id}.png`;
  image.alt = `tile ${number}: ten by ten samples`;
  const caption = made("figcaption", "bar");
  const chooses = made("button");
  chooses.dataset.choose = "";
  chooses.setAttribute("aria-label", `choose tile ${number}`);
  chooses.onclick = () => choose(id);
  const enlarge = made("button", "", "Enlarge");
  enlarge.setAttribute("aria-label", `enlarge tile ${number}`);
  enlarge.onclick = () => {
    element("large").querySelector("img").src = image.src;
    element("large").showModal();
  };
  caption.append(made("b", "", `Tile ${number}`), ...(ballot.state === "open" ? [chooses] : []), enlarge);
  shown.append(image, caption);
  return shown;
}

function results() {
  const table = made("table");
  const head = table.createTHead().insertRow();
  for (const name of ["place", "entry", "first places", "points", "tile", "remarks"]) head.append(made("th", "", name));
  const body = table.createTBody();
  for (const each of ballot.results) {
    const row = body.insertRow();
    const cells = [each.place, each.name, each.first, each.points, `Tile ${ballot.tiles.indexOf(each.tile) + 1}`];
    for (const cell of [...cells, [each.luck, ...each.problems].filter(Boolean).join("; ")]) row.insertCell().textContent = cell;
  }
  element("results").replaceChildren(made("p", "", `${ballot.voters} voted. All tiles are of seed ${ballot.seed}.`), table);
}

function show() {
  const how = { preparing: "The vote is not open yet.", closed: "The vote is closed." };
  const open = ballot.kind === "one" ? "Choose the best tile." : "Choose tiles in order, the best first.";
  element("how").textContent = how[ballot.state] ?? `${open} You can change your vote until it is closed.`;
  element("tiles").replaceChildren(...ballot.tiles.map((id, index) => figure(id, index + 1)));
  element("send").hidden = ballot.state !== "open";
  choice = [...ballot.choice];
  if (ballot.state === "open") mark();
  if (ballot.results) results();
}

element("send").onclick = async () => {
  try {
    ballot = await sendJson(`${root}/vote`, { choice });
    show();
    element("said").textContent = "Your vote is saved.";
  } catch (error) {
    element("said").textContent = error.message;
  }
};

try {
  ballot = await getJson(`${root}/ballot`);
  show();
} catch (error) {
  element("said").textContent = error.message;
}
