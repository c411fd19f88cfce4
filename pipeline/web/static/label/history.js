// The labels given in this tab, for undo; a reload keeps them.

const DEEPEST = 500;

export class History {
  constructor(dataset) {
    this.key = `ganmill:${dataset}:undo`;
  }

  /** Add a step: a list of {id, before, after, name}. */
  push(step) {
    if (step.length) this.write([...this.steps(), step].slice(-DEEPEST));
  }

  /** Remove and return the last step; undefined if there is none. */
  pop() {
    const steps = this.steps();
    const step = steps.pop();
    this.write(steps);
    return step;
  }

  /** Remove edits that changed nothing: undoing them would change a label that somebody else gave. */
  forget(names) {
    if (!names.length) return;
    const left = this.steps().map((step) => step.filter(({ name }) => !names.includes(name)));
    this.write(left.filter((step) => step.length));
  }

  steps() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key)) || [];
    } catch {
      return [];
    }
  }

  write(steps) {
    try {
      sessionStorage.setItem(this.key, JSON.stringify(steps));
    } catch {
      sessionStorage.removeItem(this.key); // storage is full: labels matter more than their undo
    }
  }
}
