// Which samples there are, and their addresses: those that a run made, and those that are drawn on demand.
import { getJson, sendJson } from "/static/http.js";

export const api = `/api/v1/datasets/${encodeURIComponent(document.body.dataset.dataset)}`;
const PATIENCE = 200_000; // ms: the first drawing loads the libraries

let sets = [];

/** Ask which samples runs have made. */
export async function loadSets() {
  sets = (await getJson(`${api}/samples`)).samples;
}

/** The samples that a run made with this training, seed and truncation; undefined if there are none. */
export function findSet({ training, seed, truncation }) {
  return sets.find((set) => set.training?.key.startsWith(training) && set.seed === seed && set.truncation === truncation);
}

/** The seed and truncation of the samples that a run made last with this training. */
export function newestSet(training) {
  return sets.find((set) => set.training?.key.startsWith(training));
}

/** The address of a sample's PNG file. */
export function pictureUrl(latent, number) {
  const set = findSet(latent);
  if (set && number < set.count) return `${api}/samples/${set.artifact}/${number}`;
  const query = latent.truncation ? `?truncation=${latent.truncation}` : "";
  return `${api}/trainings/${latent.training}/drawn/${latent.seed}/${number}${query}`;
}

/** The address of a sample's latent, as JSON. */
export function latentUrl({ training, seed, truncation }, number) {
  return `${api}/trainings/${training}/latent?${new URLSearchParams({ seed, number, truncation })}`;
}

/** Draw samples that no run made, so that their addresses work; those that were drawn already take no time. */
export function draw({ training, seed, truncation }, first, count) {
  return sendJson(`${api}/trainings/${training}/draw`, { seed, first, count, truncation }, { timeout: PATIENCE });
}

/** The addresses of the frames of a walk. */
export async function drawWalk({ training, seed, truncation }, from, to, frames) {
  const body = { from: { seed, number: from }, to: { seed, number: to }, frames, truncation };
  return (await sendJson(`${api}/trainings/${training}/walk`, body, { timeout: PATIENCE })).frames;
}

/** The nearest reals of a sample that no run measured. */
export function measure({ training, seed, truncation }, number) {
  return sendJson(`${api}/trainings/${training}/nearest`, { seed, number, truncation }, { timeout: PATIENCE });
}
