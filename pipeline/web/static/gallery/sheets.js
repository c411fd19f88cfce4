// The sample sheets of one training: which one belongs to a place on the slider, and its picture, kept for a while.

const KEPT = 16; // pictures in memory, as a sheet of large squares takes megabytes

export class Sheets {
  constructor(detail) {
    this.images = new Map(); // url -> promise of an <img> that is loaded
    this.update(detail);
  }

  /** Take what the server says now. */
  update(detail) {
    this.detail = detail;
    this.list = detail.sheets;
    this.grid = detail.latents.grid;
    this.gap = detail.latents.gap;
    this.lastEpoch = this.list.length ? this.list[this.list.length - 1].epoch : 0;
  }

  /** Where on the slider the sheet with this number is; null if that is not known. */
  place(number, by) {
    const sheet = this.list[number];
    if (by === "images") return sheet.images_seen;
    return by === "share" ? sheet.epoch / (this.lastEpoch || 1) : sheet.epoch;
  }

  /** The places of all sheets. */
  places(by) {
    return this.list.map((_, number) => this.place(number, by)).filter((place) => place !== null);
  }

  /** The number of the newest sheet that is not after `place`; -1 if there is none. */
  at(place, by) {
    let found = -1;
    this.list.forEach((_, number) => {
      const own = this.place(number, by);
      if (own !== null && own <= place + 1e-9) found = number;
    });
    return found;
  }

  /** The picture of the sheet with this number, loaded and decoded. */
  image(number) {
    const { url } = this.list[number];
    const known = this.images.get(url) || loaded(url);
    this.images.delete(url);
    this.images.set(url, known); // the newest is last
    while (this.images.size > KEPT) this.images.delete(this.images.keys().next().value);
    return known;
  }

  /** Load the sheets after this number, so that playing does not wait. */
  preload(number, count = 4) {
    for (let next = number + 1; next <= number + count && next < this.list.length; next++) {
      this.image(next).catch(() => {});
    }
  }

  /** Where the cell with this number (from 0) is in a picture: left, top and side in its own pixels. */
  cell(image, number) {
    const side = (image.naturalWidth + this.gap) / this.grid - this.gap;
    const step = side + this.gap;
    return { left: (number % this.grid) * step, top: Math.floor(number / this.grid) * step, side };
  }

  /** The number of the cell at a point of a picture, in its own pixels. */
  cellAt(image, x, y) {
    const step = (image.naturalWidth + this.gap) / this.grid;
    const within = (value) => Math.min(this.grid - 1, Math.max(0, Math.floor(value / step)));
    return within(y) * this.grid + within(x);
  }
}

function loaded(url) {
  const image = new Image();
  image.src = url;
  return image.decode().then(() => image);
}

/** By how much a picture of this width is enlarged: a whole factor, so that all its pixels have one size; 1 at least. */
export function enlargement(width, room) {
  return Math.max(1, Math.floor(room / width));
}
