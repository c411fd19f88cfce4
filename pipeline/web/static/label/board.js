// The grid: tiles in a fixed order, and the cursor.

import { made } from "../dom.js";
import { LABEL_NAMES } from "./texts.js";

const SIGNS = { on: "✓", off: "✗", unsure: "?" };
const WHY = { uncertain: "the filter is uncertain", different: "unlike all labelled squares", random: "drawn at random" };

export class Board {
  constructor(grid, images, { moved, clicked, opened }) {
    this.grid = grid;
    this.images = images;
    this.pictures = [];
    this.tiles = [];
    this.positions = new Map();
    this.cursor = 0;
    this.moved = moved;
    grid.addEventListener("click", (event) => this.at(event, clicked));
    grid.addEventListener("dblclick", (event) => this.at(event, opened));
  }

  at(event, callback) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    this.go(this.tiles.indexOf(tile));
    callback(event);
  }

  /** Show these squares, with the cursor on the first one without a label. */
  show(pictures) {
    this.pictures = pictures;
    this.positions = new Map(pictures.map((picture, index) => [picture.id, index]));
    this.tiles = pictures.map((picture) => this.tile(picture));
    this.grid.replaceChildren(...this.tiles);
    window.scrollTo(0, 0);
    this.go(Math.max(0, pictures.findIndex((picture) => picture.label === null)), { scroll: false });
  }

  get current() {
    return this.pictures[this.cursor];
  }

  go(index, { scroll = true } = {}) {
    this.tiles[this.cursor]?.setAttribute("tabindex", "-1");
    this.tiles[this.cursor]?.removeAttribute("aria-selected");
    this.cursor = Math.max(0, Math.min(index, this.pictures.length - 1));
    const tile = this.tiles[this.cursor];
    if (tile) {
      tile.setAttribute("tabindex", "0");
      tile.setAttribute("aria-selected", "true");
      if (mayFocus()) tile.focus({ preventScroll: !scroll });
    }
    this.moved();
  }

  /** The number of columns. */
  columns() {
    const top = this.tiles[0]?.offsetTop;
    const below = this.tiles.findIndex((tile) => tile.offsetTop !== top);
    return below < 0 ? this.tiles.length : below;
  }

  /** The squares in the row of the cursor. */
  row() {
    const columns = this.columns();
    const start = Math.floor(this.cursor / columns) * columns;
    return this.pictures.slice(start, start + columns);
  }

  /** Set the label that the server has saved. */
  label(id, label) {
    const picture = this.pictures[this.positions.get(id)];
    if (picture) picture.label = label;
  }

  /** Draw every tile: saved labels, and labels that are being saved. */
  paint(pending) {
    this.pictures.forEach((picture, index) => paint(this.tiles[index], picture, pending, index, this.pictures.length));
  }

  /** Resolves when every square of the page has loaded or failed. */
  loaded() {
    return Promise.allSettled(this.tiles.map((tile) => tile.querySelector("img").decode()));
  }

  /** Update what is known about the squares; they keep their positions and labels, which other answers bring. */
  renew(found) {
    for (const picture of found) {
      const index = this.positions.get(picture.id);
      if (index === undefined) continue;
      const before = this.pictures[index];
      this.pictures[index] = { ...picture, why: before.why, label: before.label };
      this.tiles[index].querySelector(".score").textContent = score(picture);
      if (picture.version !== before.version) this.images.dress(this.tiles[index], picture);
    }
  }

  /** Show other images of the same pictures. */
  redress() {
    this.pictures.forEach((picture, index) => this.images.dress(this.tiles[index], picture));
  }

  tile(picture) {
    const tile = made("div", "tile");
    tile.setAttribute("role", "option");
    tile.setAttribute("tabindex", "-1");
    tile.dataset.id = picture.id;
    const why = made("span", "why", picture.why || "");
    why.title = WHY[picture.why] || "";
    tile.append(made("span", "mark"), made("span", "score", score(picture)), why);
    this.images.dress(tile, picture);
    return tile;
  }
}

/** Not while somebody types: their next letters would be labels. */
function mayFocus() {
  return !document.querySelector("dialog[open]") && !document.activeElement?.matches("input[type=search]");
}

/** "0.82 ± 0.05": the filter's score and its standard error. */
export function score(picture) {
  if (picture.score === null) return "";
  const shown = picture.score.toFixed(2);
  return picture.spread === null ? shown : `${shown} ± ${picture.spread.toFixed(2)}`;
}

function paint(tile, picture, pending, index, total) {
  const saving = pending.has(picture.id);
  const coming = saving ? pending.get(picture.id) : null;
  const state = `${picture.label}|${saving}|${coming}|${picture.suspect}|${picture.score}`;
  if (tile.dataset.state === state) return;
  tile.dataset.state = state;
  tile.dataset.label = picture.label || "";
  tile.classList.toggle("saving", saving);
  tile.classList.toggle("suspect", picture.suspect);
  tile.querySelector(".mark").textContent = saving ? `${SIGNS[coming] || "–"} saving` : SIGNS[picture.label] || "";
  tile.setAttribute("aria-label", ariaLabel(picture, saving, index, total));
}

function ariaLabel(picture, saving, index, total) {
  const parts = [`square ${index + 1} of ${total}`, saving ? "not yet saved" : LABEL_NAMES[picture.label] || "no label"];
  if (picture.score !== null) parts.push(`score ${score(picture)}`);
  if (picture.why) parts.push(WHY[picture.why]);
  if (picture.title) parts.push(picture.title.slice(0, 80));
  return parts.join(", ");
}
