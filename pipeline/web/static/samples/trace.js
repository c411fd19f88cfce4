// A trace as elements: lists of facts, with links to pages and to further traces.
import { datasetRoot, made } from "/static/dom.js";
import { LABEL_NAMES } from "/static/label/texts.js";
import { api } from "./drawing.js";

const VERDICTS = { unsure: "borderline" };
const SHOWN = 24; // samples to which a picture is a nearest real
const SHORT = 12;

/** The address of a square's picture. */
export function squareUrl(id) {
  return `${datasetRoot()}square/${id}`;
}

/** Elements that show the trace `found`. */
export function traceElements(found) {
  const parts = [];
  if (found.sample) parts.push(...samplePart(found.sample));
  if (found.sheet) parts.push(heading(`Sample sheet of epoch ${found.sheet.epoch}`), facts([["file", found.sheet.file ?? "deleted"]]));
  if (found.lineage) parts.push(...lineageElements(found.lineage));
  if (found.url.length) parts.push(heading("URL"), ...found.url.map(crawledElement));
  if (found.picture) parts.push(...pictureElements(found.picture));
  parts.push(...found.notices.map((notice) => made("p", "dim", notice)));
  const box = made("div", "trace");
  box.append(...parts);
  return [box];
}

function samplePart(sample) {
  const kid = sample.kid === null ? "" : `${sample.kid.toPrecision(4)} by ${sample.extractor}`;
  const rows = [["seed", sample.seed], ["number", sample.number], ["truncation", sample.truncation], ...(sample.class_name ? [["class", sample.class_name]] : []), ["KID of all samples", kid], ["file", sample.file ?? "deleted"]];
  const near = made("ul", "near");
  near.append(...sample.nearest.map(nearElement));
  return [heading(sample.number === null ? "Samples" : `Sample ${sample.number}`), facts(rows), heading("Nearest reals"), near];
}

/** What a generator was made from. */
export function lineageElements(lineage) {
  const training = lineage.training;
  const rows = [
    ["training", training && `${training.name || training.key.slice(0, SHORT)}, definition ${training.definition}`],
    ...lineage.starts.map((start) => ["began with", startText(start)]),
    ["epochs", lineage.epochs && `${lineage.epochs}, generator of epoch ${lineage.epoch ?? "?"}`],
    ["learned from", lineage.reals && `${lineage.reals} kept squares`],
    ["generator", lineage.gan.folder ?? "deleted"],
    ["filter", (lineage.filter.folder ?? "deleted") + (lineage.threshold === null ? "" : `, threshold ${lineage.threshold}`)],
    ["labels", lineage.labels && labelCounts(lineage.labels)],
    ["squares", (lineage.normalize.folder ?? "deleted") + (lineage.squares ? `, ${lineage.squares} kept` : "")],
    ["download", (lineage.download.folder ?? "deleted") + (lineage.pictures ? `, ${lineage.pictures} pictures saved` : "")],
  ];
  return [heading("Made from"), facts(rows)];
}

function startText(start) {
  const licences = Object.entries(start.licences ?? {}).map(([licence, count]) => `${licence || "not known"} ${count}`);
  const pictures = start.pictures === null ? "" : `: ${start.pictures} pictures`;
  return `${start.dataset ?? "a dataset that is not known"}, ${start.training}${pictures}; licences: ${licences.join(", ") || "not known"}`;
}

function labelCounts(labels) {
  const counts = labels.on === null ? "deleted" : `${labels.on} on target, ${labels.off} off target, ${labels.unsure} skip`;
  return `${counts} (snapshot ${labels.digest.slice(0, SHORT)})`;
}

function pictureElements(picture) {
  const parts = [heading(`Picture ${picture.id.slice(0, SHORT)}…`)];
  if (picture.squares.some((square) => square.file)) parts.push(thumbnail(picture.id));
  parts.push(facts([["id", picture.id]]), ...picture.crawled.map(crawledElement));
  for (const square of picture.squares) parts.push(made("p", "", squareText(square)));
  parts.push(list("Labels", picture.labels.map((label) => `${label.label ? LABEL_NAMES[label.label] : "removed"}, ${label.time}, by ${label.how}`), "never labelled"));
  parts.push(list("Filter", picture.verdicts.map(verdictText), "no filter has seen it"));
  parts.push(list("Learned by", picture.learned_by.map((training) => training.name || training.key.slice(0, SHORT)), "no training that is still here"));
  parts.push(heading("Nearest real of"), ...nearestTo(picture.nearest_to));
  return parts;
}

/** The samples to which a picture is a nearest real, each a link to its own trace. */
function nearestTo(near) {
  if (!near.length) return [made("p", "dim", "no sample")];
  const items = made("ul", "near");
  items.append(...near.slice(0, SHOWN).map(nearSample));
  const more = near.length - SHOWN;
  return more > 0 ? [items, made("p", "dim", `and ${more} more samples`)] : [items];
}

function nearSample(each) {
  const artifact = each.generate.split("/").pop();
  const picture = made("img", "pixels");
  Object.assign(picture, { alt: "", loading: "lazy", src: `${api}/samples/${artifact}/${each.sample}` });
  const link = made("a", "", `sample ${each.sample}`);
  link.href = `#trace=${artifact}/${each.sample}`;
  link.dataset.trace = `${artifact}/${each.sample}`;
  const item = made("li");
  item.append(picture, link, made("div", "", `place ${each.place}, distance ${each.distance.toPrecision(4)}`));
  return item;
}

function squareText(square) {
  const of = square.duplicate_of ? ` of ${square.duplicate_of.slice(0, SHORT)}…` : "";
  return `Square: ${square.outcome}${of}${square.reason ? ` (${square.reason})` : ""}`;
}

function verdictText(verdict) {
  const score = verdict.score === null ? "no score" : `score ${verdict.score.toFixed(3)}`;
  const threshold = verdict.threshold === null ? "" : `, threshold ${verdict.threshold}`;
  return `${VERDICTS[verdict.outcome] ?? verdict.outcome}, ${score}${threshold}${verdict.current ? " (current)" : ""}`;
}

function crawledElement(row) {
  const found = `${row.engine}${row.query ? `: ${row.query}` : ""}${row.rank === null ? "" : `, rank ${row.rank}`}, ${row.time}`;
  return facts([
    ["URL", link(row.url)],
    ["outcome", row.outcome + (row.reason ? `: ${row.reason}` : "")],
    ["page", row.page && link(row.page)],
    ["title", row.title],
    ["found by", found],
    ["licence", row.license && link(row.license)],
    ["creator", row.creator],
  ]);
}

/** A nearest real: its square, distance, source page, licence and creator, and a link to its trace. */
export function nearElement(near) {
  const item = made("li");
  const row = near.crawled;
  item.append(thumbnail(near.id), made("div", "", `distance ${near.distance.toPrecision(4)}`));
  if (row) {
    item.append(line("from ", link(row.page || row.url, isWeb(row.page || row.url) ? "source page" : "")));
    item.append(line("licence: ", row.license ? link(row.license) : "not known"), line("creator: ", row.creator || "not known"));
  } else item.append(made("div", "dim", "where it comes from was deleted"));
  const trace = made("a", "", "trace");
  trace.href = `#trace=${near.id}`;
  trace.dataset.trace = near.id;
  trace.setAttribute("aria-label", `trace of ${near.id.slice(0, SHORT)}`);
  item.append(trace);
  return item;
}

function line(text, content) {
  const found = made("div", "", text);
  found.append(content);
  return found;
}

function thumbnail(id) {
  const picture = made("img", "pixels");
  picture.alt = `square ${id.slice(0, SHORT)}`;
  picture.loading = "lazy";
  picture.src = squareUrl(id);
  return picture;
}

function isWeb(address) {
  return /^https?:\/\//i.test(address);
}

/** A link to an address of the web; any other address as text, as it could run a script. */
function link(address, text = "") {
  if (!isWeb(address)) return document.createTextNode(address);
  const found = made("a", "", text || address);
  found.href = address;
  found.target = "_blank";
  found.rel = "noopener noreferrer";
  return found;
}

function heading(text) {
  return made("h3", "", text);
}

function list(title, texts, none) {
  const box = made("div");
  box.append(heading(title));
  if (!texts.length) box.append(made("p", "dim", none));
  const items = made("ul");
  items.append(...texts.map((text) => made("li", "", text)));
  if (texts.length) box.append(items);
  return box;
}

function facts(rows) {
  const box = made("dl", "facts");
  for (const [name, value] of rows) {
    if (value === null || value === undefined || value === "") continue;
    const shown = made("dd");
    shown.append(value instanceof Node ? value : document.createTextNode(String(value)));
    box.append(made("dt", "", name), shown);
  }
  return box;
}
