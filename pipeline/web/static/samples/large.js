// One sample, large: how to make it again, its nearest reals, and what it was made from.
import { element, toast } from "/static/dom.js";
import { getJson } from "/static/http.js";
import { api, findSet, latentUrl, measure, pictureUrl } from "./drawing.js";
import { lineageElements, nearElement } from "./trace.js";

const FIRST = 6; // values of the latent that are shown
let shown = null; // {latent, number}
let values = "";

/** Show the sample `number` of `latent`. */
export async function showLarge(latent, number) {
  const asked = (shown = { latent, number });
  fill(latent, number);
  if (!element("large").open) element("large").showModal();
  const set = findSet(latent);
  const made = set && number < set.count;
  element("large-measure").hidden = Boolean(made);
  try {
    const [found] = await Promise.all([getJson(latentUrl(latent, number)), made && showTrace(asked, set)]);
    if (shown === asked) showLatent(found);
  } catch (error) {
    element("large-measured").textContent = error.message;
  }
}

function fill(latent, number) {
  const { seed, truncation } = latent;
  element("large-title").textContent = `Sample ${number}`;
  const address = pictureUrl(latent, number);
  Object.assign(element("large-picture"), { src: address, alt: `sample ${number} of seed ${seed}` });
  element("large-seed").textContent = seed;
  element("large-number").textContent = number;
  element("large-truncation").textContent = truncation || "off";
  element("large-latent").textContent = "…";
  showClass("");
  const name = `${latent.training}-seed-${seed}-${String(number).padStart(5, "0")}`;
  Object.assign(element("large-png"), { href: address, download: `${name}.png` });
  Object.assign(element("large-json"), { href: latentUrl(latent, number), download: `${name}.json` });
  element("large-command").textContent = command(latent, number);
  element("large-measured").textContent = "";
  element("large-near").replaceChildren();
  element("large-trace").hidden = true;
  values = "";
}

function command({ seed, truncation, class_name }, number) {
  const ofClass = class_name ? ` --class '${class_name.replaceAll("'", "'\\''")}'` : "";
  const more = (truncation ? ` --generate-truncation ${truncation}` : "") + ofClass;
  return `python -m tasks generate --once${document.body.dataset.flag} --generate-seed ${seed} --generate-count ${number + 1}${more}`;
}

/** Show the class that the latent chooses; nothing if it is not of a conditional GAN. */
function showClass(name) {
  element("large-class").textContent = name;
  for (const each of document.querySelectorAll("#large .of-class")) each.hidden = !name;
}

function showLatent(found) {
  showClass(found.class_name);
  values = JSON.stringify(found);
  const first = found.latent.slice(0, FIRST).map((value) => value.toFixed(3)).join(", ");
  const more = found.latent.length - FIRST;
  element("large-latent").textContent = more > 0 ? `${first}, … ${more} more` : first;
}

async function showTrace(asked, set) {
  const trace = await getJson(`${api}/trace`, { of: `${set.artifact}/${asked.number}` });
  if (shown !== asked) return;
  showNear(trace.sample.extractor, trace.sample.nearest, trace.notices);
  element("large-measure").hidden = trace.sample.nearest.length > 0;
  element("large-lineage").replaceChildren(...(trace.lineage ? lineageElements(trace.lineage) : []));
  element("large-trace").hidden = !trace.lineage;
}

function showNear(extractor, nearest, notices) {
  element("large-measured").textContent = [nearest.length ? `distances by ${extractor}` : "", ...notices].filter(Boolean).join("; ");
  element("large-near").replaceChildren(...nearest.map(nearElement));
}

async function findNear() {
  const asked = shown;
  element("large-measured").textContent = "measuring; the first time takes a while…";
  try {
    const found = await measure(asked.latent, asked.number);
    if (shown !== asked) return;
    showNear(found.extractor, found.nearest, found.notices);
    element("large-measure").hidden = true;
  } catch (error) {
    if (shown === asked) element("large-measured").textContent = error.message;
  }
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} is copied`);
  } catch {
    toast("The browser does not allow copying; select the text instead.");
  }
}

/** Listen to the buttons and keys of the dialog; `move` is called with -1 or 1, `closed` with the number shown. */
export function listenForLarge({ move, closed, walk }) {
  const dialog = element("large");
  dialog.addEventListener("close", () => closed(shown.number));
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) move(shown.number + step);
  });
  const clicks = {
    close: () => dialog.close(),
    previous: () => move(shown.number - 1),
    next: () => move(shown.number + 1),
    copy: () => copy(values, "The latent"),
    "copy-command": () => copy(element("large-command").textContent, "The command"),
    measure: findNear,
    from: () => walk("walk-from", shown.number),
    to: () => walk("walk-to", shown.number),
  };
  for (const [name, act] of Object.entries(clicks)) element(`large-${name}`).addEventListener("click", act);
}
