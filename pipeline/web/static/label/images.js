// What a tile shows: the square, the original picture, or both; remembered for all datasets.

import { made } from "../dom.js";

const KEY = "ganmill:images";
const MODES = ["squares", "originals", "both"];

export class Images {
  constructor(server, select, { changed }) {
    this.server = server;
    const known = localStorage.getItem(KEY);
    this.mode = MODES.includes(known) ? known : "squares";
    this.cropped = document.body.dataset.fit === "crop"; // the square is the middle of the picture
    select.value = this.mode;
    select.addEventListener("change", () => {
      this.mode = select.value;
      localStorage.setItem(KEY, this.mode);
      changed();
    });
  }

  /** The address of the image that a tile shows first. */
  address(picture) {
    return this.mode === "squares" ? this.server.square(picture) : this.server.thumbnail(picture);
  }

  /** Put the images of a picture into its tile. */
  dress(tile, picture) {
    tile.querySelectorAll("img, .crop").forEach((old) => old.remove());
    tile.classList.remove("gone");
    tile.dataset.images = this.mode;
    const main = image(this.address(picture));
    main.addEventListener("error", () => tile.classList.add("gone"));
    const shown = [main];
    if (this.mode === "both") {
      if (this.cropped && picture.width && picture.height) shown.push(outline(picture));
      const inset = image(this.server.square(picture));
      inset.className = "inset";
      shown.push(inset);
    }
    tile.prepend(...shown);
  }
}

function image(address) {
  const found = made("img");
  found.alt = "";
  found.decoding = "async";
  found.draggable = false;
  found.src = address;
  return found;
}

/** The frame of the part that the square shows: the largest square in the middle of the picture. */
function outline({ width, height }) {
  const found = made("i", "crop");
  const side = `${(100 * Math.min(width, height)) / Math.max(width, height)}%`;
  found.style.width = side;
  found.style.height = side;
  return found;
}
