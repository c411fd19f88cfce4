// Marks on their way to the disk. Each lies in localStorage, under a key of its own, until the server has said that it
// is on the disk: a closed tab, a reload or a dead server loses none. Tabs share the outbox and send in turn.

const AT_ONCE = 200; // marks in one request
const SOON = 500; // ms before the second try, doubled for each further one
const LATE = 4000;
const HOPELESS = [400, 413, 415, 422]; // the server will never take these

export class Outbox {
  constructor(dataset, server, { saved, dropped, changed }) {
    this.prefix = `ganmill:${dataset}:mark:`;
    this.server = server;
    this.tell = { saved, dropped, changed };
    this.unstored = new Map(); // where localStorage is full or forbidden
    this.last = 0;
    this.busy = false;
    this.fault = "";
    this.wait = SOON;
    window.addEventListener("storage", (event) => {
      if (event.key === null || event.key.startsWith(this.prefix)) this.tell.changed();
    });
  }

  /** Take marks {id, label, was} and send them after all earlier ones. One may have a name, by which it is told that it
      changed nothing, or the name of the mark that it undoes. */
  add(marks) {
    for (const mark of marks) this.keep(this.newKey(), JSON.stringify(mark));
    this.tell.changed();
    this.send();
  }

  /** What is not yet on the disk, oldest first. */
  items() {
    const found = [...this.unstored];
    for (let at = 0; at < localStorage.length; at++) {
      const key = localStorage.key(at);
      if (key.startsWith(this.prefix)) found.push([key, localStorage.getItem(key)]);
    }
    return found.sort(([one], [other]) => (one < other ? -1 : 1)).map(([key, text]) => ({ key, mark: JSON.parse(text) }));
  }

  /** The last label on its way for each picture. */
  pending() {
    return new Map(this.items().map(({ mark }) => [mark.id, mark.label]));
  }

  /** Send all there is, one request at a time. */
  async send() {
    if (this.busy) return;
    this.busy = true;
    clearTimeout(this.timer);
    try {
      while (await alone(this.prefix, () => this.sendSome()));
      this.fault = "";
      this.wait = SOON;
    } catch (error) {
      this.fault = error.message;
      this.timer = setTimeout(() => this.send(), this.wait);
      this.wait = Math.min(LATE, 2 * this.wait);
    }
    this.busy = false;
    this.tell.changed();
    if (!this.fault && this.items().length) this.send(); // one came in while the last answer was being read
  }

  /** Send one request; false when there was nothing to send. */
  async sendSome() {
    const items = this.items().slice(0, AT_ONCE);
    if (!items.length) return false;
    try {
      const marks = items.map(({ mark: { id, label, was } }) => ({ id, label, was }));
      const answer = await this.server.post("marks", { marks });
      const idle = items.filter((_, place) => !answer.written.includes(place)).map(({ mark }) => mark.name);
      const names = idle.filter(Boolean);
      this.drop([...items, ...this.items().filter(({ mark }) => names.includes(mark.undoes))]);
      this.tell.saved(answer, names);
    } catch (error) {
      const hopeless = refusedFor(error, items);
      if (!hopeless.length) throw error;
      this.drop(hopeless);
      this.tell.dropped(hopeless.map(({ mark }) => mark), error.message);
    }
    return true;
  }

  newKey() {
    this.last = Math.max(this.last + 1, Date.now() * 1000);
    return this.prefix + String(this.last).padStart(18, "0") + Math.random().toString(36).slice(2, 8);
  }

  keep(key, text) {
    try {
      localStorage.setItem(key, text);
    } catch {
      this.unstored.set(key, text);
    }
  }

  drop(items) {
    for (const { key } of items) {
      this.unstored.delete(key);
      localStorage.removeItem(key);
    }
  }
}

/** The items that would be refused for ever; the others wait. */
function refusedFor(error, items) {
  if (error.body?.unknown) return items.filter(({ mark }) => error.body.unknown.includes(mark.id));
  return HOPELESS.includes(error.status) ? items : [];
}

/** Of all tabs only one at a time, so that no mark is sent by two. Browsers have locks on this machine's pages only;
    elsewhere the server takes a mark that is sent twice as one. */
function alone(name, work) {
  return navigator.locks ? navigator.locks.request(name, work) : work();
}
