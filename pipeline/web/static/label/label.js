// The page: handles keys and buttons, sends label edits, and shows the server's data.

import { element, toast } from "../dom.js";
import { Batches } from "./batches.js";
import { Board } from "./board.js";
import { History } from "./history.js";
import { command, movedTo } from "./keys.js";
import { Outbox } from "./outbox.js";
import { Rerun } from "./rerun.js";
import { Server } from "./server.js";
import { resize, restoreSize } from "./size.js";
import { adviceText, LABEL_NAMES, refusedText, savingText, tallyText } from "./texts.js";
import { asked, drawSources, drawViews, emptyText, PAGE, remember } from "./views.js";
import { Zoom } from "./zoom.js";

const EVERY = 2000; // ms between polls for changes by others
const SHORTLY = 700; // ms after a label before the counts are updated
const LABELS = { on: "on", off: "off", unsure: "unsure", clear: null };

const dataset = document.body.dataset.dataset;
const batchSize = Number(document.body.dataset.batch);
const server = new Server(dataset);
const steps = new History(dataset);
const zoom = new Zoom(server);
const board = new Board(element("grid"), server, { moved, clicked, opened: () => zoom.toggle(board.current) });
const outbox = new Outbox(dataset, server, { saved, dropped, changed: repaint });
const rerun = new Rerun(dataset, server, { ended: runEnded, notify: toast });
const tabs = new BroadcastChannel(`ganmill:${dataset}:idle`); // any tab may send the edits of all
tabs.addEventListener("message", (event) => steps.forget(event.data));
const batches = new Batches(dataset);

let state = asked();
let total = 0;
let revision = "";
let generation = "";
let summaryData = { counts: {}, sources: [] };
let reachable = true;
let armed = false; // R was pressed: the next label is for the rest of the page
let loading = 0;

// --- load squares

async function load() {
  const mine = ++loading;
  document.body.classList.add("loading");
  remember(state);
  drawAround();
  try {
    const found = state.view === "next" ? await batch() : await server.get("pictures", { ...state, count: PAGE });
    if (mine !== loading) return; // another view was opened meanwhile
    state = { ...state, order: found.order, start: found.start };
    total = found.total;
    revision ||= found.revision;
    generation = found.generation;
    remember(state);
    document.body.classList.remove("loading");
    board.show(found.pictures);
    element("empty").hidden = found.pictures.length > 0;
    element("empty").textContent = emptyText(state.view);
    repaint();
    prefetch();
  } catch (error) {
    toast(error.message);
    if (error.status !== undefined) return;
    setTimeout(() => mine === loading && load(), EVERY);
  }
}

/** The current batch, or a new one if no square of the last batch needs a label. */
async function batch() {
  const held = batches.current;
  if (held.length) {
    const found = await server.post("lookup", { ids: held.map(([id]) => id) });
    const why = new Map(held);
    for (const picture of found.pictures) picture.why = why.get(picture.id);
    if (found.pictures.length && (!batches.isLast || found.pictures.some((picture) => picture.label === null))) {
      return { ...found, order: "", start: 0, total: found.pictures.length };
    }
  }
  const found = await server.get("pictures", { view: "next", count: batchSize });
  batches.add(found.pictures);
  return found;
}

/** Load the next page's squares in advance. */
async function prefetch() {
  const start = state.start + PAGE;
  if (state.view === "next" || start >= total) return;
  const order = state.order;
  await board.loaded();
  if (order !== state.order || state.start + PAGE !== start) return;
  const found = await server.get("pictures", { ...state, start, count: PAGE }).catch(() => null);
  if (!found || order !== state.order) return;
  for (const picture of found.pictures) new Image().src = server.square(picture);
}

function show(change) {
  state = { ...state, order: "", start: 0, ...change };
  load();
}

function turn(pages) {
  if (state.view === "next") {
    if (pages < 0 && batches.isFirst) return;
    if (outbox.items().length) return toast("Some labels are not saved yet; open the other batch when they are.");
    batches.go(pages);
    return load();
  }
  const start = state.start + pages * PAGE;
  if (start < 0 || start >= total) return;
  state = { ...state, start };
  load();
}

// --- give labels

/** Give squares a label, or remove it with null; returns how many labels changed. */
function giveLabel(pictures, label) {
  const pending = outbox.pending();
  const before = (picture) => (pending.has(picture.id) ? pending.get(picture.id) : picture.label);
  const step = pictures
    .filter((picture) => before(picture) !== label)
    .map((picture) => ({ id: picture.id, before: before(picture), after: label, name: Math.random().toString(36).slice(2) }));
  steps.push(step);
  outbox.add(step.map(({ id, before, name }) => ({ id, label, previous: [before], name })));
  return step.length;
}

function labelReach(label, reach) {
  armed = false;
  if (!board.current) return;
  if (reach === "rest") {
    const count = giveLabel(rest(), label);
    return toast(label ? `${count} labelled ${LABEL_NAMES[label]}; Z undoes it` : `${count} labels removed; Z undoes it`);
  }
  if (reach === "row") {
    const row = board.row();
    giveLabel(row, label);
    return board.go(board.positions.get(row.at(-1).id) + 1);
  }
  giveLabel([board.current], label);
  board.go(board.cursor + 1);
}

/** The unlabelled squares from the cursor to the end of the page. */
function rest() {
  const pending = outbox.pending();
  return board.pictures.slice(board.cursor).filter((picture) => !pending.has(picture.id) && picture.label === null);
}

function undo() {
  const step = steps.pop();
  if (!step) return toast("Nothing more to undo in this tab.");
  outbox.add(step.map(({ id, before, after, name }) => ({ id, label: before, previous: [after], undoes: name })));
  const index = board.positions.get(step[0].id);
  if (index !== undefined) board.go(index);
  else toast(`${step.length} ${step.length === 1 ? "label" : "labels"} undone, on another page`);
}

function saved(answer, idle) {
  forget(idle);
  for (const [id, label] of Object.entries(answer.labels)) board.label(id, label);
  if (answer.refused.length) toast(refusedText(answer.refused));
  repaint();
  summarizeSoon();
}

function dropped(edits, why) {
  forget(edits.map(({ name }) => name).filter(Boolean));
  toast(`${edits.length} not saved: ${why}`);
  repaint();
}

/** Edits that changed nothing cannot be undone, in any tab. */
function forget(names) {
  steps.forget(names);
  if (names.length) tabs.postMessage(names);
}

// --- changes by others

async function poll() {
  try {
    const found = await server.get("changes", { since: revision });
    reachable = true;
    applyChanges(found);
  } catch (error) {
    reachable = error.status !== undefined;
    problem(reachable ? error.message : "");
  }
  if (reachable && outbox.items().length) outbox.send();
  drawSaving();
  setTimeout(poll, EVERY);
}

function applyChanges(found) {
  const known = revision === found.revision && generation === found.generation;
  if (found.all) for (const picture of board.pictures) picture.label = found.labels[picture.id] ?? null;
  else for (const [id, label] of Object.entries(found.labels)) board.label(id, label);
  revision = found.revision;
  problem(found.problem);
  rerun.show(found.run);
  if (generation && generation !== found.generation) renew(found.generation);
  if (!known) {
    repaint();
    summarizeSoon();
  }
}

/** There is a new filter or new squares: update the same tiles. */
async function renew(newest) {
  generation = newest;
  try {
    const ids = board.pictures.map((picture) => picture.id);
    board.renew((await server.post("lookup", { ids })).pictures);
    repaint();
    moved();
  } catch (error) {
    toast(error.message);
  }
}

function runEnded(run) {
  const touched = board.pictures.some((picture) => picture.label !== null) || outbox.items().length;
  if (state.view === "next" && run.state === "done" && !touched) batches.drop(), load();
  else if (run.state === "done") toast("The run is done. The squares keep their positions; the next batch uses the new filter.");
  summarizeSoon();
}

let soon;
function summarizeSoon() {
  clearTimeout(soon);
  soon = setTimeout(summarize, SHORTLY);
}

async function summarize() {
  const found = await server.get("summary", { source: state.source }).catch(() => null);
  if (!found) return;
  summaryData = found;
  problem(found.problem);
  drawAround();
}

// --- the area around the grid

function drawAround() {
  const { counts, sources, labels, enough } = summaryData;
  drawViews(element("views"), { counts, chosen: state.view, choose: (view) => show({ view, sort: "" }) });
  drawSources(element("source"), sources, state.source);
  element("source").disabled = state.view === "next";
  element("sort").value = state.sort;
  element("sort").disabled = state.view === "next";
  if (!labels) return;
  element("tally").textContent = tallyText(summaryData);
  element("gain").textContent = adviceText(summaryData);
  element("gain").classList.toggle("enough", enough);
}

function repaint() {
  board.paint(outbox.pending());
  drawSaving();
  drawWhere();
}

function drawSaving() {
  const count = outbox.items().length;
  const fault = reachable ? outbox.fault : "The server does not respond.";
  element("saving").className = count || fault ? "waits" : "";
  element("saving").textContent = savingText(count, fault);
}

function drawWhere() {
  const batch = state.view === "next";
  const shown = board.pictures.length;
  const left = board.pictures.filter((picture) => picture.label === null).length;
  const here = `${shown ? state.start + 1 : 0}–${state.start + shown} of ${total}`;
  element("where").textContent = batch ? `${left} of ${total} left` : here;
  element("next-text").textContent = batch && batches.isLast ? "Next batch" : "Next";
  button("next").classList.toggle("ready", batch && batches.isLast && left === 0 && total > 0);
  button("previous").disabled = batch ? batches.isFirst : state.start === 0;
  button("next").disabled = !batch && state.start + PAGE >= total;
}

function moved() {
  const page = board?.current?.page;
  element("page-link").hidden = !page;
  if (page) element("page-link").href = page;
  if (zoom.open) zoom.show(board.current);
}

function problem(text) {
  element("problem").hidden = !text;
  if (element("problem").textContent !== text) element("problem").textContent = text;
}

// --- keys and buttons

/** What a label applies to. The list applies to one click and never to keys, so that nothing is labelled by accident. */
function reachOf(event) {
  if (armed) return "rest";
  if (event.shiftKey) return "row";
  if (event.type !== "click" || zoom.open) return "one";
  const chosen = element("reach").value;
  element("reach").value = "one";
  return chosen;
}

function act(name, event) {
  if (name in LABELS) return labelReach(LABELS[name], reachOf(event));
  if (name !== "rest") armed = false;
  const doing = {
    undo,
    zoom: () => zoom.toggle(board.current),
    source: () => !element("page-link").hidden && element("page-link").click(),
    previous: () => turn(-1),
    next: () => turn(1),
    help: () => element("keys").showModal(),
    larger: () => resize(12),
    smaller: () => resize(-12),
    rest: () => {
      armed = true;
      toast(`The next label is for the ${rest().length} unlabelled squares from here to the end of the page. Esc cancels.`);
    },
  };
  doing[name]();
}

document.addEventListener("keydown", (event) => {
  const elsewhere = event.target.closest("select, input, a, button, dialog:not(#zoom)");
  if (event.key === "Escape") armed = false;
  if (event.altKey || event.isComposing) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key.toLowerCase() === "z" && !elsewhere) act("undo", event), event.preventDefault();
    return;
  }
  const pressing = event.target.closest("button, a") && (event.key === "Enter" || event.key === " ");
  if (pressing || event.target.closest("select, input, dialog:not(#zoom)")) return;
  if (move(event)) return event.preventDefault();
  const name = command(event);
  if (!name) return;
  event.preventDefault();
  if (!event.repeat) act(name, event); // a held key must not label several squares
});

function move(event) {
  const index = movedTo(event, board);
  if (index !== undefined) board.go(index);
  return index !== undefined;
}

function clicked(event) {
  const brush = element("brush").value;
  if (brush) labelReach(brush, reachOf(event));
}

for (const each of document.querySelectorAll(".act")) {
  each.addEventListener("click", (event) => act(each.dataset.act, event));
  each.addEventListener("mousedown", (event) => event.preventDefault()); // the grid keeps the focus
}
element("sort").addEventListener("change", (event) => show({ sort: event.target.value }));
element("source").addEventListener("change", (event) => {
  show({ source: event.target.value });
  summarize();
});
for (const name of ["reach", "brush"]) element(name).addEventListener("change", () => board.go(board.cursor));
element("more").addEventListener("click", () => {
  const open = document.body.classList.toggle("more");
  element("more").setAttribute("aria-expanded", String(open));
});
element("help").addEventListener("click", () => element("keys").showModal());
element("keys-close").addEventListener("click", () => element("keys").close());
window.addEventListener("beforeunload", (event) => outbox.unstored.size && event.preventDefault());

function button(name) {
  return document.querySelector(`[data-act="${name}"]`);
}

restoreSize();
await load();
outbox.send();
summarize();
poll();
