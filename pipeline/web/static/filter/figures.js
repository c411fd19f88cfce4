// What a threshold does: the line in the histogram, the numbers and the sentences.

import { element, made } from "../dom.js";

const WIDTH = 1000; // of the histogram, in its own units
const number = (value) => (value === null ? "–" : value.toFixed(3));

/** Draw the threshold with its band into the histogram. */
export function drawLine({ low, threshold, high }) {
  place("#clip-rejected rect", 0, low);
  place("#clip-borderline rect", low, high);
  place("#band", low, high);
  place("#clip-kept rect", high, 1);
  for (const end of ["x1", "x2"]) element("line").setAttribute(end, threshold * WIDTH);
  element("kept-words").textContent = `kept from ${number(high)}, rejected below ${number(low)}`;
}

/** Show that the numbers of the chosen threshold have not come yet: those of another one would mislead. */
export function drawPending() {
  for (const name of ["kept", "borderline", "rejected", "precision", "recall", "precision-interval", "recall-interval"]) element(name).textContent = "…";
  for (const name of ["precision", "recall"]) for (const part of ["point", "range"]) element(`${name}-${part}`).hidden = true;
  element("words").replaceChildren();
}

function place(selector, from, to) {
  const shape = document.querySelector(selector);
  shape.setAttribute("x", from * WIDTH);
  shape.setAttribute("width", Math.max(0, to - from) * WIDTH);
}

/** Show the row of a threshold. */
export function drawFigures(row) {
  for (const name of ["kept", "borderline", "rejected"]) element(name).textContent = row[name];
  element("all").textContent = row.kept + row.borderline + row.rejected;
  for (const name of ["precision", "recall"]) drawInterval(name, row[name], row[`${name}_low`], row[`${name}_high`]);
  const sentences = row.words.filter(Boolean).map((text) => `${text[0].toUpperCase()}${text.slice(1)}.`);
  element("words").replaceChildren(...sentences.map((text) => made("li", "", text)));
  const kept = `keeps ${row.kept} of ${row.kept + row.borderline + row.rejected}`;
  element("threshold").setAttribute("aria-valuetext", `${number(row.threshold)}, ${kept}, precision ${number(row.precision)}, recall ${number(row.recall)}`);
}

function drawInterval(name, value, low, high) {
  element(name).textContent = number(value);
  element(`${name}-interval`).textContent = low === null ? "nothing is kept by its score" : `${number(low)} to ${number(high)}`;
  element(`${name}-point`).hidden = value === null;
  element(`${name}-range`).hidden = low === null;
  element(`${name}-point`).style.left = `${100 * value}%`;
  element(`${name}-range`).style.left = `${100 * low}%`;
  element(`${name}-range`).style.width = `${100 * (high - low)}%`;
}
