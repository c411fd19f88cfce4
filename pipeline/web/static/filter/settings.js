// The settings of the filter: what holds for the dataset now, and saving what was chosen.

import { datasetRoot, element, made } from "../dom.js";
import { getJson, sendJson } from "../http.js";

const SLOW = 60_000; // ms; the answer comes from another process
const ADDRESS = `${datasetRoot()}filter/settings`;
const MODE = () => document.querySelector("input[name=mode]:checked").value;

/** The form; `threshold` gives the number that is chosen now. */
export class Settings {
  constructor({ threshold }) {
    this.threshold = threshold;
    this.saved = null; // settings by name, as they hold for the dataset
    element("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
    element("form").addEventListener("input", () => this.draw());
  }

  async load() {
    try {
      this.take(await getJson(ADDRESS, {}, SLOW));
    } catch (error) {
      element("saved").textContent = error.message;
    }
  }

  take({ settings, backbones }) {
    this.saved = settings;
    const options = backbones.map(({ value, state, meaning }) => {
      const option = made("option", "", `${value} – ${state} (${meaning})`);
      option.value = value;
      return option;
    });
    element("backbone").replaceChildren(...options);
    element("backbone").value = settings["classifier.backbone"].value;
    element("backbone").disabled = false;
    this.draw();
  }

  /** The settings as they are chosen here, as texts by name. */
  chosen() {
    return {
      "filter.threshold": MODE() === "auto" ? "auto" : String(this.threshold()),
      "filter.precision": element("target").value,
      "filter.unsure": element("unsure").value,
      "classifier.backbone": element("backbone").value,
    };
  }

  /** Those that differ from what holds for the dataset. */
  changed() {
    if (!this.saved) return {};
    const same = (name, text) => {
      const now = this.saved[name].value;
      return now === text || (text !== "" && now !== "" && Number(now) === Number(text));
    };
    return Object.fromEntries(Object.entries(this.chosen()).filter(([name, text]) => !same(name, text)));
  }

  draw() {
    const changed = Object.entries(this.changed());
    element("save").disabled = !changed.length;
    element("saved").textContent = this.saved
      ? changed.map(([name, text]) => `${name} = ${text} (now ${this.saved[name].value}, ${this.saved[name].origin})`).join("; ")
      : "";
  }

  async save() {
    element("save").disabled = true;
    const settings = this.changed();
    try {
      this.take(await sendJson(ADDRESS, { settings }, { timeout: SLOW }));
      element("saved").replaceChildren(...nextRun(settings));
    } catch (error) {
      this.draw();
      element("saved").textContent = `Not saved: ${error.message}`;
    }
  }
}

/** What the next run will do because of these settings. */
function nextRun(settings) {
  const learns = "classifier.backbone" in settings ? "trains the classifier again, " : "";
  const update = made("a", "", "Update the filter");
  update.href = `${datasetRoot()}label`;
  const rest = `Saved. The next run ${learns}decides about every square again, and trains the generator again only if other squares are kept. `;
  return [rest, update, " on the label page."];
}
