// The area around the grid: views, counts, progress of labelling, sentences, and what is not saved yet.

import { element } from "../dom.js";
import { adviceText, enoughText, savingText, tallyText } from "./texts.js";
import { drawSources, drawViews, PAGE } from "./views.js";

/** Draw views, selection and sentences for the state of the loader. */
export function drawAround(loader, summary) {
  const { state, wanted } = loader;
  const choose = (view) => loader.show(view === "next" ? { view, sort: "", search: "" } : { view, sort: "" });
  drawViews(element("views"), { counts: summary.counts, chosen: state.view, wanted: wanted?.view, choose });
  drawSources(element("source"), summary.sources, state.source);
  for (const name of ["source", "sort"]) element(name).disabled = state.view === "next";
  element("sort").value = state.sort;
  if (!summary.labels) return;
  element("tally").textContent = tallyText(summary);
  element("gain").textContent = adviceText(summary);
  element("gain").classList.toggle("enough", summary.enough);
  fitAdvice();
  drawProgress(summary);
}

/** The advice takes two lines, so that the squares are in sight; a button shows all of a longer one. */
function fitAdvice() {
  const { scrollHeight, clientHeight } = element("gain");
  element("gain-more").hidden = !element("gain").classList.contains("open") && scrollHeight <= clientHeight + 1;
}

addEventListener("resize", fitAdvice);
element("gain-more").addEventListener("click", ({ target }) => {
  const open = element("gain").classList.toggle("open");
  target.setAttribute("aria-expanded", String(open));
  target.textContent = open ? "Show less" : "Show all";
});

/** How far the labels are towards what is enough to begin with; hidden when the filter says more. */
function drawProgress({ labels, enough_labels, filtered }) {
  const kinds = Object.entries(enough_labels);
  const reached = kinds.every(([kind, most]) => labels[kind] >= most);
  element("progress").hidden = reached && filtered;
  for (const [kind, most] of kinds) {
    const bar = element(`progress-${kind}`);
    bar.max = most;
    bar.value = Math.min(labels[kind], most);
    element(`progress-${kind}-text`).textContent = `${labels[kind]} of ${most}`;
  }
  element("progress-text").textContent = enoughText(reached);
}

/** Draw how many labels are not saved; `fault` is the reason why they wait. */
export function drawSaving(count, fault) {
  element("saving").className = count || fault ? "waits" : "";
  element("saving").textContent = savingText(count, fault);
}

/** Draw which squares of how many are shown, and where the pager can go. */
export function drawWhere({ state, total }, board, batches) {
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

function button(name) {
  return document.querySelector(`[data-act="${name}"]`);
}
