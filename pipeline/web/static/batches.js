// The batches of this tab, so that one can go back to them; a reload goes on with the same.

const MOST = 50;

export class Batches {
  constructor(dataset) {
    this.key = `ganmill:${dataset}:batches`;
  }

  /** The batch that this tab is at, as [id, why] of each picture; empty when a new one is wanted. */
  get current() {
    const { kept, at } = this.read();
    return kept[at] || [];
  }

  get isFirst() {
    return this.read().at === 0;
  }

  get isLast() {
    const { kept, at } = this.read();
    return at >= kept.length - 1;
  }

  /** Go to the batch after, -1 to the one before; past the last one a new one is wanted. */
  go(by) {
    const { kept, at } = this.read();
    this.write({ kept, at: Math.max(0, Math.min(kept.length, at + by)) });
  }

  add(pictures) {
    if (!pictures.length) return;
    const kept = [...this.read().kept, pictures.map(({ id, why }) => [id, why])].slice(-MOST);
    this.write({ kept, at: kept.length - 1 });
  }

  /** Forget the batch that this tab is at: a better one is to be had. */
  drop() {
    const { kept, at } = this.read();
    this.write({ kept: kept.filter((_, place) => place !== at), at: kept.length - 1 });
  }

  read() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key)) || { kept: [], at: 0 };
    } catch {
      return { kept: [], at: 0 };
    }
  }

  write(held) {
    held.at = Math.max(0, held.at);
    try {
      sessionStorage.setItem(this.key, JSON.stringify(held));
    } catch {
      sessionStorage.removeItem(this.key); // full: the next batch counts for more than the last
    }
  }
}
