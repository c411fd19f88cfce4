// The size of the tiles, remembered for all datasets.

const KEY = "ganmill:size";
const NARROW = 600; // px: a phone
const slider = document.getElementById("size");

/** Change the size of the tiles by some pixels. */
export function resize(by) {
  slider.valueAsNumber += by;
  apply();
}

/** Restore the last size. */
export function restoreSize() {
  slider.value = localStorage.getItem(KEY) || (window.innerWidth < NARROW ? 84 : 104);
  slider.addEventListener("input", apply);
  apply();
}

function apply() {
  document.documentElement.style.setProperty("--tile", `${slider.value}px`);
  localStorage.setItem(KEY, slider.value);
}
