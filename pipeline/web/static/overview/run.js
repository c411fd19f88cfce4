// The run that works: stage, how far it is, how long it works and still needs; and the button that stops it.

import { datasetRoot, element, toast } from "../dom.js";
import { sendJson } from "../http.js";

const WORKING = ["running", "queued"];

export class RunPanel {
  constructor(changed) {
    Object.assign(this, { changed, run: null });
    this.skew = Date.parse(document.body.dataset.now) - Date.now(); // between the server's clock and this one
    element("stop").addEventListener("click", () => this.stop());
    setInterval(() => this.tick(), 1000);
  }

  get working() {
    return WORKING.includes(this.run?.state);
  }

  /** Show the run of `state`, and how far the training is. */
  show(state) {
    const run = (this.run = state.run);
    element("run").hidden = element("stop").hidden = !this.working;
    element("run").dataset.state = run.state;
    element("stop").disabled = run.stopping;
    element("run-state").textContent = run.stopping ? "Stopping…" : run.state === "queued" ? "Waiting for its turn…" : "Running…";
    element("run-line").textContent = where(state);
    element("run-note").textContent = run.note;
    bar(element("run-bar"), run.percent);
    for (const each of state.stages) node(each);
    training(state.training);
    document.title = title(state);
    this.tick();
  }

  tick() {
    if (!this.working) return;
    const began = Date.parse(this.run.began);
    const elapsed = began ? `${time((Date.now() + this.skew - began) / 1000)} so far` : "";
    element("run-time").textContent = [elapsed, this.run.left && `${this.run.stage}: ${this.run.left}`].filter(Boolean).join(", ");
  }

  /** Stop the run, whoever started it; one that waits for its turn never starts. */
  async stop() {
    element("stop").disabled = true;
    try {
      await sendJson(`${datasetRoot()}stop`, {});
    } catch (error) {
      toast(error.message);
      element("stop").disabled = false;
    }
    this.changed();
  }
}

function where({ run, training }) {
  const percent = run.percent === null ? "" : ` ${run.percent} %`;
  const now = run.stage === "gan" && training?.key === run.stage_key;
  const epoch = now && training.epoch && run.percent === null ? `, epoch ${training.epoch}` : "";
  return run.stage ? `${run.stage}${percent}${epoch}` : "";
}

function title(state) {
  const words = WORKING.includes(state.run.state) ? where(state) || "starting" : "";
  const [, stage, percent] = words.match(/^(\S+) (\d+ %)$/) ?? [];
  return [percent ? `${percent} ${stage}` : words, state.dataset].filter(Boolean).join(" · ");
}

function node(each) {
  const shown = document.querySelector(`li[data-stage="${each.stage}"]`);
  if (!shown) return;
  shown.querySelector(".time").textContent = each.time;
  const progress = shown.querySelector("progress");
  if (progress) bar(progress, each.percent);
}

function training(found) {
  const epoch = element("epoch");
  if (!found || !epoch) return;
  epoch.textContent = `epoch ${found.epoch}${found.epochs ? ` of ${found.epochs}` : ""}`;
  const parts = [
    ["loss of the discriminator", found.d_loss?.toFixed(2)],
    ["of the generator", found.g_loss?.toFixed(2)],
    ["squares a second", found.images_per_second?.toFixed(0)],
  ];
  const known = parts.filter(([, value]) => value !== undefined && value !== null);
  element("losses").textContent = known.map(([name, value]) => `${name} ${value}`).join(", ");
}

function bar(shown, percent) {
  if (percent === null) shown.removeAttribute("value");
  else shown.value = percent;
}

function time(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${String(whole % 60).padStart(2, "0")} s` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}
