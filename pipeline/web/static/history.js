// What this tab has marked, step by step, so that it can be undone; a reload keeps it.

const DEEPEST = 500;

export class History {
  constructor(dataset) {
    this.key = `ganmill:${dataset}:undo`;
  }

  /** Remember a step: a list of {id, before, after, name}. */
  push(step) {
    if (step.length) this.write([...this.steps(), step].slice(-DEEPEST));
  }

  /** Take the last step off; undefined when there is none. */
  pop() {
    const steps = this.steps();
    const step = steps.pop();
    this.write(steps);
    return step;
  }

  /** Take marks off that changed nothing: what they would be undone to is what somebody else said. */
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
      sessionStorage.removeItem(this.key); // full: marks count for more than their undoing
    }
  }
}
