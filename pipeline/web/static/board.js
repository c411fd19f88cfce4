// The grid: tiles in a fixed order, and the cursor among them.

const SIGNS = { on: "✓", off: "✗", unsure: "?" };
const WHY = { uncertain: "the filter is uncertain", different: "unlike all that is labelled", random: "drawn at random" };

export class Board {
  constructor(grid, server, { moved, clicked, opened }) {
    this.grid = grid;
    this.server = server;
    this.pictures = [];
    this.tiles = [];
    this.places = new Map();
    this.cursor = 0;
    this.moved = moved;
    grid.addEventListener("click", (event) => this.at(event, clicked));
    grid.addEventListener("dblclick", (event) => this.at(event, opened));
  }

  at(event, tell) {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    this.go(this.tiles.indexOf(tile));
    tell(event);
  }

  /** Show these pictures, the cursor on the first that has no label. */
  show(pictures) {
    this.pictures = pictures;
    this.places = new Map(pictures.map((picture, place) => [picture.id, place]));
    this.tiles = pictures.map((picture) => this.tile(picture));
    this.grid.replaceChildren(...this.tiles);
    window.scrollTo(0, 0);
    this.go(Math.max(0, pictures.findIndex((picture) => picture.label === null)), { scroll: false });
  }

  get current() {
    return this.pictures[this.cursor];
  }

  go(place, { scroll = true } = {}) {
    this.tiles[this.cursor]?.setAttribute("tabindex", "-1");
    this.tiles[this.cursor]?.removeAttribute("aria-selected");
    this.cursor = Math.max(0, Math.min(place, this.pictures.length - 1));
    const tile = this.tiles[this.cursor];
    if (tile) {
      tile.setAttribute("tabindex", "0");
      tile.setAttribute("aria-selected", "true");
      if (!document.querySelector("dialog[open]")) tile.focus({ preventScroll: !scroll });
    }
    this.moved();
  }

  /** How many tiles stand side by side. */
  columns() {
    const top = this.tiles[0]?.offsetTop;
    const below = this.tiles.findIndex((tile) => tile.offsetTop !== top);
    return below < 0 ? this.tiles.length : below;
  }

  /** The pictures of the row that the cursor is in. */
  row() {
    const columns = this.columns();
    const start = Math.floor(this.cursor / columns) * columns;
    return this.pictures.slice(start, start + columns);
  }

  /** Give a picture the label that the server said it has. */
  label(id, label) {
    const picture = this.pictures[this.places.get(id)];
    if (picture) picture.label = label;
  }

  /** Bring every tile to what is known: labels on the disk, and those on their way. */
  paint(pending) {
    this.pictures.forEach((picture, place) => paint(this.tiles[place], picture, pending, place, this.pictures.length));
  }

  /** When every square of the page is here, or known to be missing. */
  loaded() {
    return Promise.allSettled(this.tiles.map((tile) => tile.querySelector("img").decode()));
  }

  /** Newer facts for pictures that stay where they are. */
  renew(found) {
    for (const picture of found) {
      const place = this.places.get(picture.id);
      if (place === undefined) continue;
      const before = this.pictures[place];
      this.pictures[place] = { ...picture, why: before.why };
      this.tiles[place].querySelector(".score").textContent = score(picture);
      if (picture.version !== before.version) this.tiles[place].querySelector("img").src = this.server.square(picture);
    }
  }

  tile(picture) {
    const tile = made("div", "tile");
    tile.setAttribute("role", "option");
    tile.setAttribute("tabindex", "-1");
    tile.dataset.id = picture.id;
    const image = made("img");
    image.alt = "";
    image.decoding = "async";
    image.draggable = false;
    image.src = this.server.square(picture);
    image.addEventListener("error", () => tile.classList.add("gone"));
    const why = made("span", "why", picture.why || "");
    why.title = WHY[picture.why] || "";
    tile.append(image, made("span", "mark"), made("span", "score", score(picture)), why);
    return tile;
  }
}

/** "0.82 ± 0.05": the filter's score, and how far its parts are apart. */
export function score(picture) {
  if (picture.score === null) return "";
  const shown = picture.score.toFixed(2);
  return picture.spread === null ? shown : `${shown} ± ${picture.spread.toFixed(2)}`;
}

export function made(name, kind = "", text = "") {
  const element = document.createElement(name);
  if (kind) element.className = kind;
  if (text) element.textContent = text;
  return element;
}

function paint(tile, picture, pending, place, total) {
  const saving = pending.has(picture.id);
  const coming = saving ? pending.get(picture.id) : null;
  const state = `${picture.label}|${saving}|${coming}|${picture.suspect}|${picture.score}`;
  if (tile.dataset.state === state) return;
  tile.dataset.state = state;
  tile.dataset.label = picture.label || "";
  tile.classList.toggle("saving", saving);
  tile.classList.toggle("suspect", picture.suspect);
  tile.querySelector(".mark").textContent = saving ? `${SIGNS[coming] || "–"} saving` : SIGNS[picture.label] || "";
  tile.setAttribute("aria-label", spoken(picture, saving, place, total));
}

function spoken(picture, saving, place, total) {
  const parts = [`picture ${place + 1} of ${total}`, saving ? "not yet saved" : picture.label || "no label"];
  if (picture.score !== null) parts.push(`score ${score(picture)}`);
  if (picture.why) parts.push(WHY[picture.why]);
  if (picture.title) parts.push(picture.title.slice(0, 80));
  return parts.join(", ");
}
