// How the dataset stands, as it changes: server-sent events, or polling where they fail or are refused. A hidden page
// follows nothing, because browsers open six connections to a host only.

import { getJson } from "../http.js";

const POLL = 2000; // ms
const AGAIN = 60_000; // ms after which a page that polls tries the stream again

export class Follow {
  /** Calls `show` with each state, and `lost` with an error, or null when the server answers again. */
  constructor(address, { show, lost }) {
    Object.assign(this, { address, show, lost, stream: null, timer: 0, polling: false });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.end() : this.begin()));
    window.addEventListener("pagehide", () => this.end());
    window.addEventListener("pageshow", () => this.begin());
    if (!document.hidden) this.begin();
  }

  begin() {
    if (this.stream || this.polling || document.hidden) return;
    this.stream = new EventSource(`${this.address}/events`);
    this.stream.addEventListener("message", (event) => this.take(JSON.parse(event.data)));
    this.stream.addEventListener("error", () => this.poll());
  }

  end() {
    this.stream?.close();
    this.stream = null;
    this.polling = false;
    clearTimeout(this.timer);
  }

  /** Ask now and then, until it is time to try the stream again. */
  poll() {
    this.end();
    this.polling = true;
    this.until = Date.now() + AGAIN;
    this.ask();
  }

  async ask() {
    if (!this.polling) return;
    try {
      this.take(await getJson(`${this.address}/progress`));
    } catch (error) {
      this.lost(error);
    }
    if (!this.polling) return;
    if (Date.now() > this.until) {
      this.end();
      this.begin();
    } else this.timer = setTimeout(() => this.ask(), POLL);
  }

  /** Ask at once, as after a button. */
  async now() {
    try {
      this.take(await getJson(`${this.address}/progress`));
    } catch (error) {
      this.lost(error);
    }
  }

  take(state) {
    this.lost(null);
    this.show(state);
  }
}
