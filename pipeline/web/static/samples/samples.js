// The samples page: what is shown is in the address, so that a link or a reload shows the same.
import { element, made, stateFromHash, stateToHash, toast } from "/static/dom.js";
import { getJson } from "/static/http.js";
import { api, draw, findSet, loadSets, newestSet, pictureUrl } from "./drawing.js";
import { focusSample, listenForArrows, showGrid } from "./grid.js";
import { listenForLarge, showLarge } from "./large.js";
import { traceElements } from "./trace.js";
import { listenForWalks, openWalk } from "./walk.js";

const PAGE = 200; // samples of a run that are shown at first, and then at once
const state = { training: "", seed: 0, truncation: 0, class_name: "", shown: 0, sample: null, walk: "", trace: "" };

function latent() {
  return { training: state.training, seed: state.seed, truncation: state.truncation, class_name: state.class_name };
}

function ofRun() {
  return findSet(latent())?.count ?? 0;
}

function remember() {
  stateToHash({ ...state, seed: state.seed || "", truncation: state.truncation || "", shown: state.shown > Math.min(PAGE, ofRun()) ? state.shown : "" });
}

function readAddress() {
  const given = stateFromHash();
  const options = [...(element("training")?.options ?? [])].map((option) => option.value);
  state.training = options.includes(given.training) ? given.training : options[0] ?? "";
  const set = newestSet(state.training);
  state.seed = whole(given.seed) ?? (given.training || given.sample ? 0 : set?.seed ?? 0);
  const truncation = Number(given.truncation);
  state.truncation = given.truncation === undefined && !given.seed && !given.sample ? set?.truncation ?? 0 : truncation >= 0 && truncation <= 8 ? truncation : 0;
  const of = given.class_name ?? (given.seed || given.sample ? "" : set?.class_name ?? "");
  state.class_name = classNames().includes(of) ? of : "";
  state.shown = whole(given.shown) ?? 0;
  state.sample = whole(given.sample) ?? null;
  state.walk = /^\d{1,9}-\d{1,9}$/.test(given.walk ?? "") ? given.walk : "";
  state.trace = given.trace ?? "";
}

/** The names of the classes of the training of the state. */
function classNames() {
  const option = [...(element("training")?.options ?? [])].find((each) => each.value === state.training);
  return JSON.parse(option?.dataset.classes ?? "[]");
}

function whole(text) {
  return /^\d{1,15}$/.test(text ?? "") ? Number(text) : undefined;
}

function fillForm() {
  element("training").value = state.training;
  element("seed").value = state.seed;
  element("truncation").value = state.truncation;
  showTruncation();
  const names = classNames();
  const choices = [["", "all"], ...names.map((name) => [name, name])];
  element("class").replaceChildren(...choices.map(([value, text]) => new Option(text, value)));
  element("class").value = state.class_name;
  element("class-part").hidden = !names.length;
}

function showTruncation() {
  const value = Number(element("truncation").value);
  element("truncation-shown").textContent = value ? value.toFixed(1) : "off";
  element("truncation").setAttribute("aria-valuetext", value ? value.toFixed(1) : "off");
}

/** Show the samples of the state; those that no run made are drawn first. */
async function show() {
  const count = ofRun();
  state.shown = Math.max(state.shown, Math.min(PAGE, count));
  const wanted = state.shown;
  const asked = JSON.stringify(latent());
  if (wanted > count && !(await drawn(count, wanted))) state.shown = count;
  if (JSON.stringify(latent()) !== asked) return; // another was chosen meanwhile
  const size = Number(element("training").selectedOptions[0].dataset.size);
  showGrid([...Array(state.shown).keys()], size, (number) => pictureUrl(latent(), number), open);
  element("empty").hidden = state.shown > 0;
  element("facts").textContent = factsText();
  showButton();
  remember();
}

async function drawn(from, to) {
  const busy = element("busy");
  busy.textContent = "drawing; the first time takes a while…";
  element("more").disabled = true;
  try {
    const most = Number(element("count").max);
    for (let first = from; first < to; first += most) await draw(latent(), first, Math.min(most, to - first));
    busy.textContent = "";
    return true;
  } catch (error) {
    busy.textContent = error.message;
    return false;
  } finally {
    element("more").disabled = false;
  }
}

function factsText() {
  const set = findSet(latent());
  if (!set) return state.shown ? "drawn now; no run has made or measured these" : "";
  const kid = set.kid === null ? "" : `; KID ${set.kid.toPrecision(4)}${set.kid_error === null ? "" : ` ± ${set.kid_error.toPrecision(2)}`} by ${set.extractor}`;
  return `${set.count} samples of a run, ${set.created.slice(0, 16).replace("T", " ")}${kid}`;
}

function rest() {
  return Math.max(0, ofRun() - state.shown);
}

function showButton() {
  const count = Number(element("count").value) || 64;
  element("more").textContent = rest() ? `Show ${Math.min(PAGE, rest())} more` : `Draw ${count}${state.shown ? " more" : ""}`;
}

/** Open the sample `number`, large; one that is not drawn yet is drawn. */
async function open(number) {
  if (number < 0) return;
  if (number >= ofRun() && number >= state.shown) {
    if (!(await drawn(number, number + 1))) return;
  }
  state.sample = number;
  remember();
  showLarge(latent(), number);
}

function close(number) {
  state.sample = null;
  remember();
  focusSample(number);
}

async function showTraceOf(of) {
  element("trace-of").value = of;
  element("trace-part").open = true;
  state.trace = of;
  remember();
  const error = element("trace-error");
  error.hidden = true;
  element("trace").replaceChildren(made("p", "dim", "tracing…"));
  try {
    element("trace").replaceChildren(...traceElements(await getJson(`${api}/trace`, { of })));
  } catch (refusal) {
    element("trace").replaceChildren();
    error.textContent = refusal.message;
    error.hidden = false;
  }
  element("trace-part").scrollIntoView({ block: "start" });
}

function choose() {
  state.training = element("training").value;
  state.seed = whole(element("seed").value) ?? 0;
  state.truncation = Number(element("truncation").value);
  state.class_name = classNames().includes(element("class").value) ? element("class").value : "";
  Object.assign(state, { shown: 0, sample: null, walk: "" });
  fillForm();
  show();
}

function listen() {
  for (const id of ["training", "seed", "truncation", "class"]) element(id).addEventListener("change", choose);
  element("truncation").addEventListener("input", showTruncation);
  element("count").addEventListener("input", showButton);
  element("draw").addEventListener("submit", (event) => {
    event.preventDefault();
    state.shown += rest() ? Math.min(PAGE, rest()) : Number(element("count").value);
    show();
  });
  listenForArrows();
  listenForLarge({
    move: open,
    closed: close,
    walk: (id, number) => {
      element(id).value = number;
      element("walk-part").open = true;
      toast(`${id === "walk-from" ? "The walk begins" : "The walk ends"} at sample ${number}; the form is above the samples.`);
    },
  });
  listenForWalks(latent, (walk) => {
    state.walk = walk;
    remember();
  });
}

function listenForTraces() {
  element("trace-form").addEventListener("submit", (event) => {
    event.preventDefault();
    showTraceOf(element("trace-of").value.trim());
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-trace]");
    if (!link) return;
    event.preventDefault();
    element("large")?.close();
    showTraceOf(link.dataset.trace);
  });
}

async function fromAddress() {
  readAddress();
  if (state.training) {
    fillForm();
    await show();
    if (state.walk) openWalk(latent(), state.walk);
    if (state.sample !== null) await open(state.sample);
  }
  if (state.trace) await showTraceOf(state.trace);
}

listenForTraces();
if (element("draw")) {
  listen();
  try {
    await loadSets();
  } catch (error) {
    element("busy").textContent = error.message;
  }
}
await fromAddress();
addEventListener("hashchange", fromAddress);
