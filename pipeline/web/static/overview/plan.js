// Before a run starts: what it will do, and why.

import { element, made, toast } from "../dom.js";
import { getJson, sendJson } from "../http.js";

const PLANNING = 150_000; // ms

export class PlanDialog {
  /** `api` is the address of the dataset's REST resources; `started` is called when a run was asked for. */
  constructor(dataset, api, started) {
    Object.assign(this, { dataset, api, started, until: "", running: false, asked: 0 });
    this.dialog = element("plan");
    element("plan-start").addEventListener("click", () => this.start());
    element("plan-close").addEventListener("click", () => this.dialog.close());
  }

  /** Show the plan of a run until the stage `until`; empty for all stages. */
  async ask(until) {
    this.until = until;
    const asked = (this.asked += 1);
    element("plan-title").textContent = until ? `Run until ${until}` : "Run all stages";
    element("plan-steps").replaceChildren();
    element("plan-note").textContent = "Making the plan…";
    element("plan-start").disabled = true;
    this.dialog.showModal();
    try {
      const steps = await getJson(`${this.api}/plan`, { until }, PLANNING);
      if (asked === this.asked) this.show(steps);
    } catch (error) {
      if (asked === this.asked) element("plan-note").textContent = error.message;
    }
  }

  show(steps) {
    const rows = steps.map((step) => {
      const row = made("tr", step.state === "up to date" ? "dim" : "");
      const why = [step.reason, step.remark].filter(Boolean).join("; ");
      row.append(...[step.stage, step.state, why].map((text) => made("td", "", text)));
      return row;
    });
    element("plan-steps").replaceChildren(...rows);
    const idle = steps.every((step) => step.state === "up to date");
    const returns = steps.some((step) => step.state === "up to date" && step.reason);
    element("plan-note").textContent = this.running
      ? "A run is in progress; this one waits for its turn."
      : idle
        ? returns
          ? "Nothing is made again; the run uses what was made before with these settings."
          : "Everything is up to date; a run changes nothing."
        : "";
    element("plan-start").disabled = false;
    element("plan-start").focus();
  }

  async start() {
    this.dialog.close();
    try {
      const job = await sendJson("/api/v1/jobs", { dataset: this.dataset, until: this.until });
      if (job.warnings?.length) toast(job.warnings.join(" "));
    } catch (error) {
      toast(error.message);
    }
    this.started();
  }
}
