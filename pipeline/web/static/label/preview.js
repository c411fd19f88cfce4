// A large view of the original beside the tile under the mouse, or beside the chosen tile after a key.

import { element } from "../dom.js";

const DELAY = 450; // ms that the mouse rests on a tile
const GAP = 10; // px between the tile and its preview
const LEAST = 140; // px: a smaller preview shows no more than the tile
const MOST = 512; // px: the longer side of a thumbnail

export class Preview {
  constructor(board, server) {
    this.board = board;
    this.server = server;
    this.box = element("preview");
    this.image = this.box.querySelector("img");
    this.pinned = false; // a key opened it: it follows the chosen tile
    board.grid.addEventListener("pointerover", (event) => this.entered(event));
    board.grid.addEventListener("pointerleave", () => this.leave());
    for (const name of ["pointerdown", "wheel"]) document.addEventListener(name, () => this.leave(), { passive: true });
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.hide());
  }

  entered(event) {
    const tile = event.target.closest(".tile");
    if (event.pointerType !== "mouse" || this.pinned || tile === this.over) return; // a finger would cover it
    this.leave();
    this.over = tile;
    if (tile) this.timer = setTimeout(() => this.show(tile), DELAY);
  }

  leave() {
    clearTimeout(this.timer);
    this.over = null;
    if (!this.pinned) this.box.hidden = true;
  }

  /** Open or close it for the chosen tile. */
  toggle() {
    this.pinned = !this.pinned;
    if (this.pinned) this.follow();
    else this.hide();
  }

  /** The cursor moved. */
  follow() {
    if (this.pinned && this.board.tiles[this.board.cursor]) this.show(this.board.tiles[this.board.cursor]);
  }

  hide() {
    this.pinned = false;
    this.leave();
  }

  show(tile) {
    const picture = this.board.pictures[this.board.tiles.indexOf(tile)];
    const place = picture && tile.isConnected ? placeBeside(tile.getBoundingClientRect()) : null;
    this.box.hidden = !place;
    if (!place) return;
    for (const side of ["left", "right", "top", "bottom"]) this.box.style[side] = place[side] === undefined ? "auto" : `${place[side]}px`;
    this.image.style.maxWidth = `${place.width}px`;
    this.image.style.maxHeight = `${place.height}px`;
    this.image.alt = picture.title || "the original picture";
    this.image.src = this.server.thumbnail(picture);
  }
}

/** Where there is most room beside a tile, without covering it; null if there is too little. */
function placeBeside({ left, right, top, bottom }) {
  const [width, height] = [window.innerWidth, window.innerHeight];
  const least = (value) => Math.min(MOST, value);
  const up = Math.max(GAP, Math.min(top, height - MOST - GAP));
  const across = Math.max(GAP, Math.min(left, width - MOST - GAP));
  const places = [
    { left: right + GAP, top: up, width: least(width - right - 2 * GAP), height: least(height - up - GAP) },
    { right: width - left + GAP, top: up, width: least(left - 2 * GAP), height: least(height - up - GAP) },
    { left: across, top: bottom + GAP, width: least(width - across - GAP), height: least(height - bottom - 2 * GAP) },
    { left: across, bottom: height - top + GAP, width: least(width - across - GAP), height: least(top - 2 * GAP) },
  ];
  const room = (place) => Math.min(place.width, place.height);
  const best = places.reduce((one, other) => (room(other) > room(one) ? other : one));
  return room(best) < LEAST ? null : best;
}
