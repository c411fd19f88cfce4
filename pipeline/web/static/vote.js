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
  shown.tabIndex = 0;
  shown.setAttribute("role", "group");
  shown.setAttribute("aria-label", `tile ${number}`);
  const image = made("img", "pixels");
  image.onload = () => fit(image);
  image.src = `${root}/tile/${id}.png`;
  image.alt = `tile ${number}: ten by ten samples`;
  const caption = made("figcaption", "bar");
  const chooses = made("button");
  chooses.dataset.choose = "";
  chooses.setAttribute("aria-label", `choose tile ${number}`);
  chooses.onclick = () => choose(id);
  const enlarge = made("button", "", "Enlarge");
  enlarge.setAttribute("aria-label", `enlarge tile ${number}`);
  enlarge.dataset.enlarge = "";
  enlarge.onclick = () => {
    const large = element("large").querySelector("img");
    large.src = image.src;
    large.style.width = `${image.naturalWidth * 2}px`;
    element("large").showModal();
  };
  caption.append(made("b", "", `Tile ${number}`), ...(ballot.state === "open" ? [chooses] : []), enlarge);
  const scrolled = made("div", "scroll");
  scrolled.tabIndex = 0; // so that keys scroll a tile that is wider than its box
  scrolled.setAttribute("role", "group");
  scrolled.setAttribute("aria-label", `picture of tile ${number}`);
  scrolled.append(image);
  shown.append(scrolled, caption);
  return shown;
}

// Only whole multiples show every pixel of a sample in the same size; a tile that is wider than its box scrolls there
function fit(image) {
  const times = Math.max(1, Math.floor(image.closest("figure").clientWidth / image.naturalWidth));
  image.style.width = `${image.naturalWidth * times}px`;
}

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

function onKey(event) {
  if (element("large").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const figures = [...document.querySelectorAll("#tiles figure")];
  if (event.key in STEPS && document.activeElement?.matches("figure .scroll")) return;
  const at = figures.indexOf(document.activeElement?.closest("figure"));
  if (event.key in STEPS && figures.length) {
    event.preventDefault();
    figures[at < 0 ? 0 : (at + STEPS[event.key] + figures.length) % figures.length].focus();
  } else if (event.key === "Enter" && document.activeElement === figures[at]) {
    event.preventDefault();
    figures[at].querySelector("[data-enlarge]").click();
  } else if (/^[1-9]$/.test(event.key) && ballot?.state === "open" && figures[event.key - 1]) {
    figures[event.key - 1].focus();
    choose(figures[event.key - 1].dataset.id);
  }
}

document.addEventListener("keydown", onKey);
window.addEventListener("resize", () => document.querySelectorAll("#tiles img").forEach(fit));

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
  element("how").textContent = how[ballot.state] ?? `${open} You can change your vote until it is closed. Arrow keys move between tiles, Enter enlarges, the keys 1 to 9 choose.`;
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
