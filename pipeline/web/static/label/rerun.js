// Run the stages that depend on labels: first show the plan, then the progress.

import { element, made } from "../dom.js";

const TITLES = { filter: "Update the filter", "": "Run everything" };
const PLANNING = 150_000; // ms
const STATES = { done: "Done", failed: "Failed", stopped: "Stopped", next: "Next", ended: "Ended" };

export class Rerun {
  constructor(dataset, server, { ended, notify }) {
    this.server = server;
    this.key = `ganmill:${dataset}:seen-run`;
    this.ended = ended;
    this.notify = notify;
    this.running = false;
    this.dialog = element("plan");
    element("update").addEventListener("click", () => this.ask("filter"));
    element("everything").addEventListener("click", () => this.ask(""));
    element("plan-start").addEventListener("click", () => this.start());
    element("plan-close").addEventListener("click", () => this.dialog.close());
    element("run-stop").addEventListener("click", () => this.post("stop", {}));
    element("run-close").addEventListener("click", () => this.close());
    element("run-log-toggle").addEventListener("click", () => (element("run-log").hidden = !element("run-log").hidden));
  }

  /** Show the plan of a run. */
  async ask(until) {
    this.until = until;
    element("plan-title").textContent = TITLES[until];
    element("plan-steps").replaceChildren();
    element("plan-note").textContent = "Making the plan…";
    element("plan-start").disabled = true;
    this.dialog.showModal();
    try {
      this.plan(await this.server.post("plan", { until }, PLANNING));
    } catch (error) {
      element("plan-note").textContent = error.message;
    }
  }

  plan(steps) {
    const rows = steps.map((step) => {
      const row = made("tr", step.state === "up to date" ? "current" : "");
      const why = [step.reason, step.remark].filter(Boolean).join("; ");
      row.append(...[step.stage, step.state, why].map((text) => made("td", "", text)));
      return row;
    });
    element("plan-steps").replaceChildren(...rows);
    const idle = steps.every((step) => step.state === "up to date");
    element("plan-note").textContent = idle
      ? "Everything is up to date; a run changes nothing."
      : "You can continue to label; labels given from now on are used by the next run.";
    element("plan-start").disabled = this.running;
    if (this.running) element("plan-note").textContent = "A run is in progress or queued; wait for it, or stop it.";
    else element("plan-start").focus();
  }

  async start() {
    this.dialog.close();
    await this.post("run", { until: this.until });
  }

  async post(path, body) {
    try {
      this.show(await this.server.post(path, body));
    } catch (error) {
      this.notify(error.message);
    }
  }

  /** Show the progress of the run; the server reports it every few seconds. */
  show(run) {
    const was = this.running;
    this.running = run.state === "running" || run.state === "queued";
    this.began = run.began;
    const over = run.state in STATES;
    if (was && over) this.ended(run);
    if (this.running) this.followed = run.began;
    // A run that went well in a terminal, before this page was open, is no news
    const news = run.here || run.state !== "done" || this.followed === run.began;
    element("run").hidden = !(this.running || (over && news && localStorage.getItem(this.key) !== run.began));
    element("run").dataset.state = run.state;
    element("run-state").textContent = STATES[run.state] || (run.stopping ? "Stopping…" : `${title(run)}…`);
    element("run-line").textContent = this.running ? progress(run) : run.outcome.replace(/^next: /, "");
    element("run-note").textContent = this.running ? run.note : "";
    element("run-log").textContent = run.lines.join("\n");
    element("run-stop").hidden = !this.running;
    element("run-stop").disabled = run.stopping;
    element("run-close").hidden = this.running;
    bar(run.percent, this.running);
  }

  close() {
    localStorage.setItem(this.key, this.began);
    element("run").hidden = true;
  }
}

function title(run) {
  return run.here ? TITLES[run.until] || "Run" : "Run started elsewhere";
}

function progress(run) {
  if (run.state === "queued") return "queued";
  const percent = run.percent === null ? "" : ` ${run.percent} %`;
  return run.stage ? run.stage + percent : "starting";
}

function bar(percent, running) {
  const shown = element("run-bar");
  shown.hidden = !running;
  if (percent === null) shown.removeAttribute("value");
  else shown.value = percent;
}
