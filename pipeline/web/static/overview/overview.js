// The overview page: joins the plan, the run and the parts with what the server says of the dataset.

import { element } from "../dom.js";
import { Follow } from "./follow.js";
import { Parts } from "./parts.js";
import { PlanDialog } from "./plan.js";
import { RunPanel } from "./run.js";

const { dataset } = document.body.dataset;
const api = `/api/v1/datasets/${encodeURIComponent(dataset)}`;
const parts = new Parts(element("parts"));
const panel = new RunPanel(() => follow.now());
const dialog = new PlanDialog(dataset, api, () => follow.now());
const follow = new Follow(api, { show, lost });

element("start").addEventListener("click", () => dialog.ask(element("until").value));
element("parts").addEventListener("click", (event) => {
  const button = event.target.closest(".run-until");
  if (button) dialog.ask(button.dataset.until);
});

async function show(state) {
  panel.show(state);
  dialog.running = panel.working;
  await parts.load(state.version);
  panel.show(state);
}

function lost(error) {
  element("lost").hidden = !error;
  element("lost").textContent = error ? `${error.message} The page tries again.` : "";
}
