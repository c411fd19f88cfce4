// One latent through all epochs: its cell, cut out of every sheet.

import { made } from "/static/dom.js";
import { enlargement } from "./sheets.js";

const SIDE = 72; // pixels on the screen that a small cell is enlarged to
const MOST_SIDE = 128; // of a large one

export class Strip {
  constructor(line, sheets, onEpoch) {
    this.line = line;
    this.row = line.querySelector(".strip");
    this.sheets = sheets;
    this.onEpoch = onEpoch;
    this.cell = null;
    this.drawing = 0; // counts drawings, so that an older one stops
  }

  /** Show the latent with this number (from 0); null: none. */
  async show(cell) {
    this.cell = cell;
    this.line.hidden = cell === null || !this.sheets.list.length;
    const own = ++this.drawing;
    this.row.replaceChildren();
    if (cell === null) return;
    for (const [number, sheet] of [...this.sheets.list].entries()) {
      const image = await this.sheets.image(number).catch(() => null);
      if (own !== this.drawing) return;
      if (image) this.row.append(this.button(image, sheet, cell));
      this.mark();
    }
  }

  /** Mark the epoch that the slider is at. */
  at(epoch) {
    this.epoch = epoch;
    this.mark();
  }

  mark() {
    for (const button of this.row.children) {
      if (Number(button.dataset.epoch) !== this.epoch) button.removeAttribute("aria-current");
      else {
        button.setAttribute("aria-current", "true");
        this.reveal(button);
      }
    }
  }

  /** Scroll the strip, and not the page, so that `button` is seen. */
  reveal(button) {
    const [left, width] = [button.offsetLeft - this.row.offsetLeft, button.offsetWidth];
    const { scrollLeft, clientWidth } = this.row;
    if (left < scrollLeft) this.row.scrollLeft = left;
    else if (left + width > scrollLeft + clientWidth) this.row.scrollLeft = left + width - clientWidth;
  }

  button(image, sheet, cell) {
    const { left, top, side } = this.sheets.cell(image, cell);
    const button = made("button");
    button.type = "button";
    button.dataset.epoch = sheet.epoch;
    const canvas = made("canvas");
    canvas.width = canvas.height = side;
    canvas.getContext("2d").drawImage(image, left, top, side, side, 0, 0, side, side);
    const shown = Math.min(MOST_SIDE, side * enlargement(side, SIDE));
    canvas.style.width = canvas.style.height = `${shown}px`;
    button.append(canvas, made("span", "", String(sheet.epoch)));
    button.setAttribute("aria-label", `latent ${cell + 1} at epoch ${sheet.epoch}`);
    button.addEventListener("click", () => this.onEpoch(sheet.epoch, this.sheets));
    return button;
  }
}
