// The page: handles keys and buttons, sends label edits, and shows the server's data.

import { element, toast } from "../dom.js";
import { drawAround, drawSaving, drawWhere } from "./around.js";
import { Batches } from "./batches.js";
import { Board } from "./board.js";
import { History } from "./history.js";
import { Images } from "./images.js";
import { command, movedTo } from "./keys.js";
import { Loader } from "./loader.js";
import { Outbox } from "./outbox.js";
import { Preview } from "./preview.js";
import { Rerun } from "./rerun.js";
import { Server } from "./server.js";
import { resize, restoreSize } from "./size.js";
import { LABEL_NAMES, refusedText } from "./texts.js";
import { asked, emptyText, remember } from "./views.js";
import { Why } from "./why.js";
import { Zoom } from "./zoom.js";

const EVERY = 2000; // ms between polls for changes by others
const SHORTLY = 700; // ms after a label before the counts are updated
const TYPING = 300; // ms without a key before a search
const LABELS = { on: "on", off: "off", unsure: "unsure", clear: null };

const dataset = document.body.dataset.dataset;
const server = new Server(dataset);
const steps = new History(dataset);
const zoom = new Zoom(server);
const images = new Images(server, element("images"), { changed: () => board.redress() });
const board = new Board(element("grid"), images, { moved, clicked, opened: () => zoom.toggle(board.current) });
const outbox = new Outbox(dataset, server, { saved, dropped, changed: repaint });
const rerun = new Rerun(dataset, server, { ended: runEnded, notify: toast });
const tabs = new BroadcastChannel(`ganmill:${dataset}:idle`); // any tab may send the edits of all
tabs.addEventListener("message", (event) => steps.forget(event.data));
const batches = new Batches(dataset);
const loader = new Loader(server, batches, Number(document.body.dataset.batch), { waiting, arrived });
const preview = new Preview(board, server);
const why = new Why(dataset, server, {
  asked: (question) => remember(loader.state, false, question),
  chosen: (id) => loader.show({ view: "all", sort: "", source: "", search: id }),
});

let revision = "";
let generation = "";
let summaryData = { counts: {}, sources: [] };
let reachable = true;
let armed = false; // R was pressed: the next label is for the rest of the page

// --- show squares

function waiting() {
  document.body.classList.toggle("loading", loader.wanted !== null);
  drawAround(loader, summaryData);
}

function arrived(found, summary) {
  revision ||= found.revision;
  generation = found.generation;
  summaries++; // an answer about the selection before is too late
  if (summary) summaryData = summary;
  document.body.classList.remove("loading");
  if (!typing && element("search").value.trim() !== loader.state.search) element("search").value = loader.state.search;
  board.show(found.pictures);
  element("empty").hidden = found.pictures.length > 0;
  element("empty-text").textContent = emptyText(loader.state);
  element("empty-why").hidden = !loader.state.search;
  drawAround(loader, summaryData);
  repaint();
  loader.prefetch(board.loaded(), (picture) => images.address(picture));
  if (!summary) summarizeSoon();
}

function turn(pages) {
  if (loader.state.view !== "next") return loader.turn(pages);
  if (pages < 0 && batches.isFirst) return;
  if (outbox.items().length) return toast("Some labels are not saved yet; open the other batch when they are.");
  batches.go(pages);
  loader.load();
}

let typing = 0;

/** Search when the typing pauses; the batch of what to label next is no view to search in. */
function search(text) {
  clearTimeout(typing);
  typing = 0;
  const { view } = loader.wanted || loader.state;
  if (text.trim() !== (loader.wanted || loader.state).search) loader.show({ search: text.trim(), view: view === "next" ? "all" : view });
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

let saves = 0; // answers to saved labels
function saved(answer, idle) {
  saves++;
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
  const before = saves;
  try {
    const found = await server.get("changes", { since: revision });
    reachable = true;
    if (before === saves) applyChanges(found); // else it may be from before the save; the next poll asks for the same
  } catch (error) {
    reachable = error.status !== undefined;
    problem(reachable ? error.message : "");
  }
  if (reachable && outbox.items().length) outbox.send();
  showSaving();
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
  if (loader.state.view === "next" && run.state === "done" && !touched) batches.drop(), loader.load();
  else if (run.state === "done") toast("The run is done. The squares keep their positions; the next batch uses the new filter.");
  summarizeSoon();
}

let soon;
function summarizeSoon() {
  clearTimeout(soon);
  soon = setTimeout(summarize, SHORTLY);
}

let summaries = 0;
async function summarize() {
  const mine = ++summaries;
  const { source, search } = loader.state;
  const found = await server.get("summary", { source, search }).catch(() => null);
  if (!found || mine !== summaries) return;
  summaryData = found;
  problem(found.problem);
  drawAround(loader, summaryData);
}

function repaint() {
  board.paint(outbox.pending());
  showSaving();
  drawWhere(loader, board, batches);
}

function showSaving() {
  drawSaving(outbox.items().length, reachable ? outbox.fault : "The server does not respond.");
}

function moved() {
  const page = board?.current?.page;
  element("page-link").hidden = !page;
  if (page) element("page-link").href = page;
  if (zoom.open) zoom.show(board.current);
  preview.follow();
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
    preview: () => preview.toggle(),
    find: () => element("search").focus(),
    why: () => why.open(),
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
element("sort").addEventListener("change", (event) => loader.show({ sort: event.target.value }));
element("source").addEventListener("change", (event) => loader.show({ source: event.target.value }));
element("search").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => search(event.target.value), TYPING);
});
element("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") search(event.target.value);
  if (event.key !== "Escape" && event.key !== "Enter") return;
  event.preventDefault(); // Escape would empty the field
  event.target.blur();
  board.go(board.cursor);
});
element("why-open").addEventListener("click", () => why.open(element("search").value));
element("empty-why").addEventListener("click", () => why.open(loader.state.search));
for (const name of ["reach", "brush"]) element(name).addEventListener("change", () => board.go(board.cursor));
element("more").addEventListener("click", () => {
  const open = document.body.classList.toggle("more");
  element("more").setAttribute("aria-expanded", String(open));
});
element("help").addEventListener("click", () => element("keys").showModal());
element("keys-close").addEventListener("click", () => element("keys").close());
window.addEventListener("beforeunload", (event) => outbox.unstored.size && event.preventDefault());

restoreSize();
const question = asked().why;
await loader.load();
outbox.send();
if (question) why.open(question);
poll();
