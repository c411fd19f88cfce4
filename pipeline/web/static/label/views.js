// Which squares are shown: the view, its order, its source and its page, all in the address after the #.

import { made } from "../dom.js";
import { LABEL_NAMES } from "./texts.js";

export const NAMES = {
  next: "What to label next",
  all: "all",
  unlabelled: "unlabelled",
  ...LABEL_NAMES,
  kept: "kept",
  rejected: "rejected",
  borderline: "borderline",
  near: "near the threshold",
  disagree: "disagreements",
};
const MEANING = {
  next: "uncertain squares, squares unlike all labelled ones, and some at random",
  on: "labelled on target; lowest scores first",
  off: "labelled off target; highest scores first",
  unsure: "labelled skip: not used for training, and not kept",
  kept: "kept by the filter; lowest scores first",
  rejected: "rejected by the filter; highest scores first",
  borderline: "neither kept nor rejected by the filter; nearest to the threshold first",
  near: "borderline, or within 0.1 of the threshold; nearest first",
  disagree: "labels that contradict the filter; largest contradiction first",
};
const EMPTY = {
  next: "Every square has a label.",
  kept: "Nothing is kept yet: the filter has not run.",
  rejected: "Nothing is rejected: the filter has not run, or keeps every square.",
  borderline: "Nothing is borderline, or the filter has not run.",
  near: "Nothing is near the threshold, or the filter has not run.",
  disagree: "No label contradicts the filter.",
};
export const PAGE = 120;

/** {view, sort, source, search, order, start, why} from the address. */
export function asked() {
  const given = new URLSearchParams(location.hash.slice(1));
  const view = given.get("view");
  return {
    view: view in NAMES ? view : "next",
    sort: given.get("sort") || "",
    source: given.get("source") || "",
    search: given.get("search") || "",
    order: given.get("order") || "",
    start: Math.max(0, Math.floor(Number(given.get("start")) || 0)),
    why: given.get("why") || "",
  };
}

/** Write it to the address, so that a reload or a sent link shows the same; `push` makes a step for the browser's back
    button. `why` is an open question about a picture that is not in. */
export function remember(state, push = false, why = "") {
  const given = new URLSearchParams(Object.entries({ ...state, why }).filter(([, value]) => value));
  if (push) history.pushState(null, "", `#${given}`);
  else history.replaceState(null, "", `#${given}`);
}

export function emptyText({ view, search }) {
  if (search) return `No square ${view === "all" ? "" : "of this view "}has “${search}” in its file name, site, title, creator, address or id.`;
  return EMPTY[view] || "There is no such square.";
}

/** The buttons of the views, with the number of squares in each. */
export function drawViews(container, { counts, chosen, wanted, choose }) {
  const buttons = Object.entries(NAMES).map(([view, name]) => {
    const button = made("button", "view", name);
    button.type = "button";
    button.dataset.view = view;
    button.title = MEANING[view] || "";
    button.setAttribute("aria-pressed", String(view === chosen));
    button.setAttribute("aria-busy", String(view === wanted));
    if (view in counts) button.append(made("span", "count", String(counts[view])));
    button.addEventListener("click", () => choose(view));
    return button;
  });
  const focused = container.contains(document.activeElement) ? document.activeElement.dataset.view : "";
  container.replaceChildren(...buttons);
  buttons.find((button) => button.dataset.view === focused)?.focus();
}

/** The list of sources: search services and hosts in two groups. */
export function drawSources(select, sources, chosen) {
  const drawn = JSON.stringify(sources);
  select.value = chosen;
  if (select.dataset.drawn === drawn) return; // unchanged, and the list may be open
  select.dataset.drawn = drawn;
  const groups = [["found", "found by"], ["host", "on the host"]].map(([kind, title]) => {
    const group = made("optgroup");
    group.label = title;
    for (const source of sources.filter((each) => each.kind === kind)) {
      const option = made("option", "", `${source.text} (${source.count})`);
      option.value = source.name;
      group.append(option);
    }
    return group;
  });
  const all = made("option", "", "all sources");
  all.value = "";
  select.replaceChildren(all, ...groups.filter((group) => group.children.length));
  select.value = chosen;
}
