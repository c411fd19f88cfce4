// What the scripts of all pages do with elements.

/** The element with this id. */
export function element(id) {
  return document.getElementById(id);
}

/** A new element with a class and a text. */
export function made(name, kind = "", text = "") {
  const element = document.createElement(name);
  if (kind) element.className = kind;
  if (text) element.textContent = text;
  return element;
}

let fading;

/** Show a line at the bottom of the page for some seconds; screen readers read it. */
export function toast(text) {
  const shown = element("toast");
  shown.textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => (shown.textContent = ""), 6000);
}

/** The address of this page's dataset: "/d/cats/". */
export function datasetRoot() {
  return `/d/${encodeURIComponent(document.body.dataset.dataset)}/`;
}

/** What the address says after #, as an object. */
export function stateFromHash() {
  return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
}

/** Write `state` after the # of the address, without its empty values, so that a reload or a sent link shows the same. */
export function stateToHash(state) {
  const given = Object.entries(state).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  history.replaceState(null, "", `#${new URLSearchParams(given)}`);
}
