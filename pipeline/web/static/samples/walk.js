// A walk between two samples, played on a canvas.
import { element } from "/static/dom.js";
import { drawWalk } from "./drawing.js";

const PAUSE = 80; // ms from one frame to the next
let frames = [];
let timer;

/** Let the form draw walks between samples of `latent()`; `asked` is called with the two samples: "2-9". */
export function listenForWalks(latent, asked) {
  element("walk").addEventListener("submit", (event) => {
    event.preventDefault();
    asked(`${number("walk-from")}-${number("walk-to")}`);
    begin(latent());
  });
  element("walk-play").addEventListener("click", () => (timer ? pause() : play()));
  element("walk-frame").addEventListener("input", () => {
    pause();
    show(Number(element("walk-frame").value));
  });
}

/** Draw the walk "2-9" between samples of `latent`. */
export function openWalk(latent, walk) {
  [element("walk-from").value, element("walk-to").value] = walk.split("-");
  element("walk-part").open = true;
  begin(latent);
}

async function begin(latent) {
  const busy = element("walk-busy");
  busy.textContent = "drawing the walk…";
  pause();
  try {
    const addresses = await drawWalk(latent, number("walk-from"), number("walk-to"), number("walk-frames"));
    frames = await Promise.all(addresses.map(loaded));
    busy.textContent = "";
  } catch (error) {
    busy.textContent = error.message || "the frames cannot be loaded";
    return;
  }
  element("walk-shown").hidden = false;
  element("walk-frame").max = frames.length - 1;
  show(0);
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) play();
}

function number(id) {
  return Number(element(id).value);
}

async function loaded(address) {
  const picture = new Image();
  picture.src = address;
  await picture.decode();
  return picture;
}

function show(at) {
  const canvas = element("walk-canvas");
  const picture = frames[at];
  if (!picture) return;
  canvas.width = picture.naturalWidth;
  canvas.height = picture.naturalHeight;
  canvas.getContext("2d").drawImage(picture, 0, 0);
  canvas.setAttribute("aria-label", `frame ${at + 1} of ${frames.length} of the walk`);
  element("walk-frame").value = at;
  element("walk-where").textContent = `${at + 1} of ${frames.length}`;
}

function play() {
  timer = setInterval(() => show((Number(element("walk-frame").value) + 1) % frames.length), PAUSE);
  state("Pause", true);
}

function pause() {
  clearInterval(timer);
  timer = undefined;
  state("Play", false);
}

function state(text, pressed) {
  element("walk-play").textContent = text;
  element("walk-play").setAttribute("aria-pressed", pressed);
}
