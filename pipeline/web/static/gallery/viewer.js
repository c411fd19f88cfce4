// Sheets of one or several trainings under one slider: play, keys, a latent that is followed, the state in the address.

import { element, stateFromHash, stateToHash } from "/static/dom.js";
import { Sheets, enlargement } from "./sheets.js";
import { Strip } from "./strip.js";

const ROOM = 560; // pixels of the screen up to which a small sheet is enlarged; more on a high screen
const AROUND = 170; // pixels of the screen's height that are not for sheets
const SPACE = 16; // pixels between two figures
const UNITS = { epoch: "epoch", images: "images", share: "share" };

export class Viewer {
  /** `details`: the JSON of each training, in the order of the figures on the page. */
  constructor(details, { onMove = () => {} } = {}) {
    this.onMove = onMove;
    this.sides = details.map((detail) => this.side(detail));
    this.timer = null;
    const state = stateFromHash();
    this.by = state.by in UNITS ? state.by : "epoch";
    this.cell = /^\d{1,4}$/.test(state.cell || "") ? Number(state.cell) - 1 : null;
    element("by").value = this.by;
    this.findStops();
    this.index = this.by in state ? this.nearest(Number(state[this.by])) : this.stops.length - 1;
    this.listen();
    this.show();
    this.choose(this.cell);
  }

  side(detail) {
    const figure = document.querySelector(`.side[data-training="${detail.id}"]`);
    const sheets = new Sheets(detail);
    const strip = new Strip(document.querySelector(`[data-strip="${detail.id}"]`), sheets, (epoch) =>
      this.toEpoch(epoch, sheets),
    );
    const side = { sheets, strip, figure, image: figure.querySelector("img"), number: -1 };
    side.image.addEventListener("click", (event) => this.clicked(side, event));
    return side;
  }

  /** The places on the slider: those of all sheets of all trainings. */
  findStops() {
    const places = this.sides.flatMap((side) => side.sheets.places(this.by));
    this.stops = [...new Set(places)].sort((one, other) => one - other);
    const slider = element("slider");
    slider.max = Math.max(0, this.stops.length - 1);
    slider.disabled = this.stops.length < 2;
  }

  nearest(place) {
    let best = 0;
    this.stops.forEach((stop, index) => {
      if (Math.abs(stop - place) < Math.abs(this.stops[best] - place)) best = index;
    });
    return best;
  }

  get isAtEnd() {
    return this.index >= this.stops.length - 1;
  }

  /** The server says something new of a training. */
  update(detail) {
    const side = this.sides.find((each) => each.sheets.detail.id === detail.id);
    if (!side || detail.sheets.length === side.sheets.list.length) return false;
    const [wasAtEnd, place] = [this.isAtEnd, this.stops[this.index]];
    side.sheets.update(detail);
    this.findStops();
    this.index = wasAtEnd ? this.stops.length - 1 : this.nearest(place);
    this.show();
    if (this.cell !== null) side.strip.show(this.cell);
    return true;
  }

  listen() {
    element("slider").addEventListener("input", (event) => this.go(Number(event.target.value)));
    element("play").addEventListener("click", () => this.toggle());
    const moves = { first: () => 0, back: () => this.index - 1, forward: () => this.index + 1, last: () => Infinity };
    for (const [id, to] of Object.entries(moves)) element(id).addEventListener("click", () => this.go(to()));
    element("speed").addEventListener("change", () => this.timer && this.play());
    element("by").addEventListener("change", (event) => this.switch(event.target.value));
    element("cell").addEventListener("input", (event) => this.choose(event.target.value ? event.target.value - 1 : null));
    element("cell-none").addEventListener("click", () => this.choose(null));
    document.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("resize", () => this.sides.forEach((side) => this.fit(side)));
  }

  key(event) {
    const typing = event.target.closest("input:not(#slider), select, textarea, button, summary, dialog, a");
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (event.key === " " && (!typing || event.target.closest("#play"))) this.toggle();
    else if (event.key in moves && !event.target.closest("input:not(#slider), select, textarea, .strip")) this.go(this.index + moves[event.key]);
    else return;
    event.preventDefault();
  }

  go(index) {
    this.index = Math.min(this.stops.length - 1, Math.max(0, index));
    this.show();
  }

  switch(by) {
    const newest = this.newestEpoch();
    const side = this.sides.find(({ sheets, number }) => number >= 0 && sheets.list[number].epoch === newest);
    this.by = by;
    this.findStops();
    const place = side ? side.sheets.place(side.number, by) : null;
    this.index = place === null ? this.stops.length - 1 : this.nearest(place);
    this.show();
  }

  /** Go to the sheet of `sheets` that is nearest to `epoch`. */
  toEpoch(epoch, sheets = this.sides[0].sheets) {
    if (!sheets.list.length) return;
    const distances = sheets.list.map((sheet) => Math.abs(sheet.epoch - epoch));
    const number = distances.indexOf(Math.min(...distances));
    const place = sheets.place(number, this.by);
    if (place !== null) this.go(this.nearest(place));
  }

  toggle() {
    if (this.timer) this.pause();
    else this.play();
  }

  play() {
    clearInterval(this.timer);
    if (this.isAtEnd) this.go(0);
    this.timer = setInterval(() => (this.isAtEnd ? this.pause() : this.go(this.index + 1)), 1000 / element("speed").value);
    this.showPlaying();
  }

  pause() {
    clearInterval(this.timer);
    this.timer = null;
    this.showPlaying();
  }

  showPlaying() {
    element("play").setAttribute("aria-pressed", String(this.timer !== null));
    element("play-text").textContent = this.timer ? "Pause" : "Play";
  }

  /** Show the sheets at the slider's place. */
  show() {
    const place = this.stops[this.index];
    const words = this.words(place);
    element("slider").value = this.index;
    element("slider").setAttribute("aria-valuetext", words);
    element("where").textContent = words;
    for (const side of this.sides) this.showSide(side, place);
    this.onMove(this.newestEpoch());
    this.save(place);
  }

  words(place) {
    if (place === undefined) return "no sheets yet";
    if (this.by === "images") return `${place.toLocaleString("en")} images seen`;
    return this.by === "share" ? `${(100 * place).toFixed(0)} % of the training` : `epoch ${place}`;
  }

  /** The newest epoch that any side shows; null if none shows a sheet. */
  newestEpoch() {
    const shown = this.sides.filter(({ number }) => number >= 0);
    return shown.length ? Math.max(...shown.map(({ sheets, number }) => sheets.list[number].epoch)) : null;
  }

  async showSide(side, place) {
    side.number = place === undefined ? -1 : side.sheets.at(place, this.by);
    if (side.number < 0) return this.showNothing(side);
    const sheet = side.sheets.list[side.number];
    const number = side.number;
    side.strip.at(sheet.epoch);
    const image = await side.sheets.image(number).catch(() => null);
    if (number !== side.number) return; // the slider went on
    if (!image) return this.showNothing(side);
    side.image.src = image.src;
    side.width = image.naturalWidth;
    side.image.alt = `sample sheet at epoch ${sheet.epoch}`;
    const seen = sheet.images_seen === null ? "" : `, ${sheet.images_seen.toLocaleString("en")} images seen`;
    side.figure.querySelector(".caption").textContent = `epoch ${sheet.epoch}${seen}`;
    this.fit(side);
    this.mark(side);
    side.sheets.preload(number);
  }

  showNothing(side) {
    side.image.removeAttribute("src");
    side.image.alt = "no sample sheet";
    side.figure.querySelector(".caption").textContent = "no sample sheet here";
  }

  /** Enlarge a small sheet by a whole factor; a large one keeps its own size, and its box scrolls. */
  fit(side) {
    if (!side.width) return;
    const { clientWidth: width, clientHeight: height } = document.documentElement;
    const figures = document.querySelectorAll(".sheets .side").length; // that fit beside each other, if they can
    const room = Math.min((width - 40) / figures - SPACE, Math.max(ROOM, height - AROUND));
    side.image.style.width = `${side.width * enlargement(side.width, room)}px`;
    this.mark(side);
  }

  clicked(side, event) {
    const box = side.image.getBoundingClientRect();
    const scale = side.image.naturalWidth / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    this.choose(side.sheets.cellAt(side.image, x, y));
  }

  /** Follow the latent with this number (from 0) through all epochs; null: none. */
  choose(cell) {
    const most = this.sides[0].sheets.grid ** 2;
    this.cell = Number.isInteger(cell) && cell >= 0 && cell < most ? cell : null;
    element("cell").max = most;
    if (document.activeElement !== element("cell")) element("cell").value = this.cell === null ? "" : this.cell + 1;
    for (const side of this.sides) {
      this.mark(side);
      side.strip.show(this.cell);
    }
    this.save(this.stops[this.index]);
  }

  mark(side) {
    const mark = side.figure.querySelector(".cell");
    mark.hidden = this.cell === null || side.number < 0 || !side.image.complete || !side.image.naturalWidth;
    if (mark.hidden) return;
    const { left, top, side: length } = side.sheets.cell(side.image, this.cell);
    const scale = parseFloat(side.image.style.width) / side.image.naturalWidth || 1;
    const box = { left: left * scale, top: top * scale, width: length * scale, height: length * scale };
    for (const [name, value] of Object.entries(box)) mark.style[name] = `${value}px`;
  }

  save(place) {
    const at = place === undefined ? {} : { [this.by]: Number(place.toFixed(4)) };
    stateToHash({ ...at, by: this.by === "epoch" ? "" : this.by, cell: this.cell === null ? "" : this.cell + 1 });
  }
}

