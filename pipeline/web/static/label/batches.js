// The batches of this tab: the previous and next buttons go through them, and a reload keeps them.

const MOST = 50;

export class Batches {
  constructor(dataset) {
    this.key = `ganmill:${dataset}:batches`;
  }

  /** The current batch, as [id, why] of each square; empty when a new batch is needed. */
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

  /** Go to the next batch (1) or the previous one (-1); after the last one a new batch is needed. */
  go(by) {
    const { kept, at } = this.read();
    this.write({ kept, at: Math.max(0, Math.min(kept.length, at + by)) });
  }

  add(pictures) {
    if (!pictures.length) return;
    const kept = [...this.read().kept, pictures.map(({ id, why }) => [id, why])].slice(-MOST);
    this.write({ kept, at: kept.length - 1 });
  }

  /** Remove the current batch, because a better one is available. */
  drop() {
    const { kept, at } = this.read();
    this.write({ kept: kept.filter((_, index) => index !== at), at: kept.length - 1 });
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
      sessionStorage.removeItem(this.key); // storage is full: the next batch matters more than the previous ones
    }
  }
}
