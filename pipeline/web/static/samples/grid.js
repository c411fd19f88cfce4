// The grid of samples: one can be reached by Tab, the others by arrows.
import { element, made } from "/static/dom.js";

const LEAST = 96; // pixels of a tile, at least; a multiple of the sample's own size, so that pixels stay square

/** Show the samples `numbers`; `address` gives the address of each, `open` is called with the number of one. */
export function showGrid(numbers, size, address, open) {
  const grid = element("grid");
  grid.style.setProperty("--tile", `${size * Math.ceil(LEAST / size)}px`);
  grid.replaceChildren(...numbers.map((number) => tile(number, address(number), open)));
  if (grid.firstChild) grid.firstChild.tabIndex = 0;
}

function tile(number, address, open) {
  const button = made("button", "sample");
  button.type = "button";
  button.tabIndex = -1;
  button.dataset.number = number;
  button.setAttribute("aria-label", `sample ${number}`);
  const picture = made("img", "pixels");
  picture.alt = "";
  picture.loading = "lazy";
  picture.src = address;
  button.append(picture);
  button.addEventListener("click", () => open(number));
  return button;
}

/** Let arrows, Home and End move in the grid. */
export function listenForArrows() {
  const grid = element("grid");
  grid.addEventListener("keydown", (event) => {
    const tiles = [...grid.children];
    const at = tiles.indexOf(document.activeElement);
    const to = target(event.key, at, tiles);
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    focusTile(tiles[Math.max(0, Math.min(tiles.length - 1, to))]);
  });
}

function target(key, at, tiles) {
  const columns = tiles.findIndex((tile) => tile.offsetTop > tiles[0].offsetTop);
  const row = columns < 1 ? tiles.length : columns;
  return { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - row, ArrowDown: at + row, Home: 0, End: tiles.length - 1 }[key];
}

/** Give the focus to the tile of a sample. */
export function focusSample(number) {
  const tile = element("grid").querySelector(`[data-number="${Number(number)}"]`);
  if (tile) focusTile(tile);
}

function focusTile(tile) {
  for (const each of tile.parentElement.children) each.tabIndex = each === tile ? 0 : -1;
  tile.focus();
}
