// Label edits that are not saved yet. Each stays in localStorage, with its own key, until the server confirms that it is
// on the disk, so a closed tab, a reload or a stopped server loses none. Tabs share the outbox and send one at a time.

const AT_ONCE = 200; // edits in one request
const SOON = 500; // ms before the second attempt, doubled for each further one
const LATE = 4000;
const PERMANENT = [400, 413, 415, 422]; // the server will never accept these

export class Outbox {
  constructor(dataset, server, { saved, dropped, changed }) {
    this.prefix = `ganmill:${dataset}:mark:`;
    this.server = server;
    this.callbacks = { saved, dropped, changed };
    this.unstored = new Map(); // edits, if localStorage is full or forbidden
    this.last = 0;
    this.busy = false;
    this.fault = "";
    this.wait = SOON;
    window.addEventListener("storage", (event) => {
      if (event.key === null || event.key.startsWith(this.prefix)) this.callbacks.changed();
    });
  }

  /** Add edits {id, label, previous} and send them after all earlier ones. An edit may have a name, for reporting that it
      changed nothing, or the name of the edit that it undoes. */
  add(edits) {
    for (const edit of edits) this.keep(this.newKey(), JSON.stringify(edit));
    this.callbacks.changed();
    this.send();
  }

  /** Unsaved edits, oldest first. */
  items() {
    const found = [...this.unstored];
    for (let at = 0; at < localStorage.length; at++) {
      const key = localStorage.key(at);
      if (key.startsWith(this.prefix)) found.push([key, localStorage.getItem(key)]);
    }
    return found.sort(([one], [other]) => (one < other ? -1 : 1)).map(([key, text]) => ({ key, edit: JSON.parse(text) }));
  }

  /** The last unsaved label of each square. */
  pending() {
    return new Map(this.items().map(({ edit }) => [edit.id, edit.label]));
  }

  /** Send all edits, one request at a time. */
  async send() {
    if (this.busy) return;
    this.busy = true;
    clearTimeout(this.timer);
    try {
      while (await exclusively(this.prefix, () => this.sendSome()));
      this.fault = "";
      this.wait = SOON;
    } catch (error) {
      this.fault = error.message;
      this.timer = setTimeout(() => this.send(), this.wait);
      this.wait = Math.min(LATE, 2 * this.wait);
    }
    this.busy = false;
    this.callbacks.changed();
    if (!this.fault && this.items().length) this.send(); // another was added meanwhile
  }

  /** Send one request; false if there was nothing to send. */
  async sendSome() {
    const items = this.items().slice(0, AT_ONCE);
    if (!items.length) return false;
    try {
      // `was` is the name of `previous` in edits that an earlier version stored
      const edits = items.map(({ edit: { id, label, was, previous = was } }) => ({ id, label, previous }));
      const answer = await this.server.post("labels", { labels: edits });
      const idle = items.filter((_, index) => !answer.written.includes(index)).map(({ edit }) => edit.name);
      const names = idle.filter(Boolean);
      this.drop([...items, ...this.items().filter(({ edit }) => names.includes(edit.undoes))]);
      this.callbacks.saved(answer, names);
    } catch (error) {
      const hopeless = refusedFor(error, items);
      if (!hopeless.length) throw error;
      this.drop(hopeless);
      this.callbacks.dropped(hopeless.map(({ edit }) => edit), error.message);
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

/** The items that the server will never accept; the others wait. */
function refusedFor(error, items) {
  if (error.body?.unknown) return items.filter(({ edit }) => error.body.unknown.includes(edit.id));
  return PERMANENT.includes(error.status) ? items : [];
}

/** Run `work` in one tab at a time, so that no edit is sent twice. Browsers offer locks only to secure origins such as
    this machine; elsewhere the server ignores the second of two equal edits. */
function exclusively(name, work) {
  return navigator.locks ? navigator.locks.request(name, work) : work();
}
