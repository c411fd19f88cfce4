// Which squares the grid shows. The pressed tab, the address and the grid change together, when the squares have come:
// whatever else is clicked meanwhile, they always say the same.

import { toast } from "../dom.js";
import { asked, PAGE, remember } from "./views.js";

const AGAIN = 2000; // ms before a request is repeated that the server did not answer

export class Loader {
  /** `waiting` is called when a view is asked for, `arrived` with its page and, if other squares are selected, their summary. */
  constructor(server, batches, batchSize, { waiting, arrived }) {
    this.server = server;
    this.batches = batches;
    this.batchSize = batchSize;
    this.callbacks = { waiting, arrived };
    this.state = asked(); // what the grid shows
    this.wanted = null; // what was asked for and has not come yet
    this.total = 0;
    this.latest = 0;
    this.first = true;
    window.addEventListener("popstate", () => this.load(asked(), { back: true }));
  }

  /** Show another view, from its beginning. */
  show(change) {
    return this.load({ ...(this.wanted || this.state), order: "", start: 0, ...change });
  }

  /** Go some pages on or back; false if there is none. */
  turn(pages) {
    const from = this.wanted || this.state;
    const start = from.start + pages * PAGE;
    if (start < 0 || (!this.wanted && start >= this.total)) return;
    this.load({ ...from, start });
  }

  /** Load what `state` says; `back` if the browser's own history asks for it. */
  async load(state = this.state, { back = false } = {}) {
    const mine = ++this.latest;
    this.wanted = state;
    this.callbacks.waiting();
    try {
      const [found, summary] = await Promise.all([this.page(state), this.summary(state)]);
      if (mine !== this.latest) return; // another view was asked for meanwhile
      this.arrive(state, found, summary, back);
    } catch (error) {
      if (mine !== this.latest) return;
      toast(error.message);
      if (error.status === undefined) return setTimeout(() => mine === this.latest && this.load(state, { back }), AGAIN);
      this.wanted = null;
      remember(this.state);
      this.callbacks.waiting();
    }
  }

  arrive(state, found, summary, back) {
    const before = this.state;
    this.state = { ...state, order: found.order, start: found.start };
    this.wanted = null;
    this.total = found.total;
    const same = ["view", "sort", "source", "search", "start"].every((name) => before[name] === this.state[name]);
    remember(this.state, !back && !same && !this.first);
    this.first = false;
    this.callbacks.arrived(found, summary);
  }

  page(state) {
    return state.view === "next" ? this.batch() : this.server.get("pictures", { ...query(state), count: PAGE });
  }

  /** The counts, if they are of other squares than before. */
  summary({ source, search }) {
    if (!this.first && source === this.state.source && search === this.state.search) return null;
    return this.server.get("summary", { source, search });
  }

  /** The current batch, or a new one if no square of the last batch needs a label. */
  async batch() {
    const held = this.batches.current;
    if (held.length) {
      const found = await this.server.post("lookup", { ids: held.map(([id]) => id) });
      const why = new Map(held);
      for (const picture of found.pictures) picture.why = why.get(picture.id);
      if (found.pictures.length && (!this.batches.isLast || found.pictures.some((picture) => picture.label === null))) {
        return { ...found, order: "", start: 0, total: found.pictures.length };
      }
    }
    const found = await this.server.get("pictures", { view: "next", count: this.batchSize });
    this.batches.add(found.pictures);
    return found;
  }

  /** Load the pictures of the next page in advance, after `ready`. */
  async prefetch(ready, address) {
    const { order, start } = this.state;
    if (this.state.view === "next" || start + PAGE >= this.total) return;
    await ready;
    if (order !== this.state.order || start !== this.state.start) return;
    const next = { ...query(this.state), start: start + PAGE, count: PAGE };
    const found = await this.server.get("pictures", next).catch(() => null);
    if (!found || order !== this.state.order) return;
    for (const picture of found.pictures) new Image().src = address(picture);
  }
}

function query({ view, sort, source, search, order, start }) {
  return { view, sort, source, search, order, start };
}
