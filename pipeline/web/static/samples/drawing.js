// Which samples there are, and their addresses: those that a run made, and those that are drawn on demand.
import { getJson, sendJson } from "/static/http.js";

export const api = `/api/v1/datasets/${encodeURIComponent(document.body.dataset.dataset)}`;
const PATIENCE = 200_000; // ms: the first drawing loads the libraries

let sets = [];

/** Ask which samples runs have made. */
export async function loadSets() {
  sets = (await getJson(`${api}/samples`)).samples;
}

/** The samples that a run made with this training, seed, truncation and class; undefined if there are none. */
export function findSet({ training, seed, truncation, class_name }) {
  const isOf = (set) => set.seed === seed && set.truncation === truncation && set.class_name === class_name;
  return sets.find((set) => set.training?.key.startsWith(training) && isOf(set));
}

/** The seed, truncation and class of the samples that a run made last with this training. */
export function newestSet(training) {
  return sets.find((set) => set.training?.key.startsWith(training));
}

/** The address of a sample's PNG file. */
export function pictureUrl(latent, number) {
  const set = findSet(latent);
  if (set && number < set.count) return `${api}/samples/${set.artifact}/${number}`;
  const given = ["truncation", "class_name"].filter((name) => latent[name]).map((name) => [name, latent[name]]);
  const query = given.length ? `?${new URLSearchParams(given)}` : "";
  return `${api}/trainings/${latent.training}/drawn/${latent.seed}/${number}${query}`;
}

/** The address of a sample's latent, as JSON. */
export function latentUrl({ training, seed, truncation, class_name }, number) {
  return `${api}/trainings/${training}/latent?${new URLSearchParams({ seed, number, truncation, class_name })}`;
}

/** Draw samples that no run made, so that their addresses work; those that were drawn already take no time. */
export function draw({ training, seed, truncation, class_name }, first, count) {
  const body = { seed, first, count, truncation, class_name };
  return sendJson(`${api}/trainings/${training}/draw`, body, { timeout: PATIENCE });
}

/** The addresses of the frames of a walk. */
export async function drawWalk({ training, seed, truncation, class_name }, from, to, frames) {
  const body = { from: { seed, number: from }, to: { seed, number: to }, frames, truncation, class_name };
  return (await sendJson(`${api}/trainings/${training}/walk`, body, { timeout: PATIENCE })).frames;
}

/** The nearest reals of a sample that no run measured. */
export function measure({ training, seed, truncation, class_name }, number) {
  const body = { seed, number, truncation, class_name };
  return sendJson(`${api}/trainings/${training}/nearest`, body, { timeout: PATIENCE });
}
