// The squares on both sides of the threshold: those nearest to it first.

import { datasetRoot, element, made } from "../dom.js";
import { LABEL_NAMES } from "../label/texts.js";

const SIGNS = { on: "✓", off: "✗", unsure: "?" };

export class Tiles {
  constructor(most) {
    this.most = most;
    this.squares = []; // by score
    this.drawn = new Map(); // by id, so that a square that stays is not loaded again
  }

  /** Take the squares that the server sent: {fields, squares}, by score. */
  take({ fields, squares }) {
    this.squares = squares.map((row) => Object.fromEntries(fields.map((name, at) => [name, row[at]])));
    this.drawn.clear();
  }

  /** Show the nearest squares on each side of a threshold with its band. */
  show({ low, threshold, high }) {
    const first = this.first(low);
    const last = this.first(high);
    const between = this.squares.slice(first, last);
    between.sort((one, other) => Math.abs(one.score - threshold) - Math.abs(other.score - threshold));
    this.fill("kept", this.squares.slice(last, last + this.most));
    this.fill("borderline", between.slice(0, this.most));
    this.fill("rejected", this.squares.slice(Math.max(0, first - this.most), first).reverse());
  }

  /** The position of the first square whose score is at least `score`. */
  first(score) {
    let from = 0;
    let to = this.squares.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.squares[middle].score < score) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  fill(side, squares) {
    const nothing = made("p", "", "no square has such a score");
    element(`tiles-${side}`).replaceChildren(...(squares.length ? squares.map((each) => this.tile(each)) : [nothing]));
  }

  tile(square) {
    const known = this.drawn.get(square.id);
    if (known) return known;
    const tile = made("a", `square ${square.label || ""}`);
    tile.href = `${datasetRoot()}label#view=all&search=${square.id}`;
    tile.dataset.id = square.id;
    const image = made("img");
    image.src = `${datasetRoot()}square/${square.id}?v=${square.version}`;
    const words = [`score ${square.score.toFixed(3)}`, LABEL_NAMES[square.label] && `labelled ${LABEL_NAMES[square.label]}`, square.title];
    image.alt = words.filter(Boolean).join(", ");
    tile.title = image.alt;
    tile.append(image, made("span", "", square.score.toFixed(2)));
    if (square.label) tile.append(made("span", "label", SIGNS[square.label]));
    this.drawn.set(square.id, tile);
    return tile;
  }
}
