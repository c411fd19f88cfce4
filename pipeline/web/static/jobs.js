// The page of the queue: shows jobs, and stops, resumes and deletes them.

import { element, made, stateFromHash, stateToHash, toast } from "./dom.js";
import { ask, getJson, sendJson } from "./http.js";

const ROOT = "/api/v1/jobs";
const EVERY = 2000; // ms between two looks
const STATES = { queued: "queued", running: "runs", stopped: "stopped", failed: "failed", done: "done", next: "asks for something first" };

const shown = new Map(); // by id: the element, and the JSON that it shows
let looking = 0;

async function look() {
  const mine = ++looking;
  try {
    const { jobs } = await getJson(ROOT, { dataset: element("dataset").value.trim() });
    if (mine === looking) show(jobs);
    element("problem").hidden = true;
  } catch (error) {
    element("problem").textContent = error.message;
    element("problem").hidden = false;
  }
}

function show(jobs) {
  const ids = new Set(jobs.map((job) => job.id));
  for (const [id, { item }] of shown) if (!ids.has(id)) item.remove(), shown.delete(id);
  jobs.forEach((job, place) => {
    const text = JSON.stringify(job);
    const known = shown.get(job.id);
    let item = known?.item;
    if (!known || known.text !== text) {
      item = drawn(job, item);
      shown.set(job.id, { item, text });
    }
    if (element("jobs").children[place] !== item) element("jobs").insertBefore(item, element("jobs").children[place] || null);
  });
  const count = (state) => jobs.filter((job) => job.state === state).length;
  element("counts").textContent = `${count("running")} running, ${count("queued")} queued`;
  element("empty").hidden = jobs.length > 0;
}

/** The entry of a job, drawn into `item` if it is there, whose focused button keeps the focus. */
function drawn(job, item = made("li", "job")) {
  const focused = item.contains(document.activeElement) ? document.activeElement.dataset.act : "";
  item.dataset.state = job.state;
  item.dataset.id = job.id;
  const title = made("div", "title");
  const link = made("a", "", job.dataset);
  link.href = job.links.dataset;
  title.append(link, made("span", "state", job.stopping ? "stops…" : STATES[job.state]), made("span", "dim", about(job)));
  item.replaceChildren(title, acts(job), ...details(job));
  if (focused) item.querySelector(`[data-act=${focused}]`)?.focus();
  return item;
}

function about(job) {
  const settings = Object.entries(job.settings).map(([name, value]) => `${name} = ${value}`);
  const until = job.until ? `until ${job.until}` : "all stages";
  return [job.name, until, job.definition, ...settings, when(job)].filter(Boolean).join(" · ");
}

function when(job) {
  const time = job.ended || job.started || job.created;
  return `${job.ended ? "ended" : job.started ? "began" : "submitted"} ${new Date(time).toLocaleString()}`;
}

function details(job) {
  const lines = [];
  if (job.state === "running") {
    const bar = made("progress");
    bar.max = 100;
    if (job.percent !== null) bar.value = job.percent;
    bar.setAttribute("aria-label", `progress of ${job.dataset}`);
    lines.push(bar, made("p", "more", [job.stage || "starting", job.note].filter(Boolean).join(": ")));
  }
  if (job.waits_for) lines.push(made("p", "more", `${job.position}. in the queue; ${waits(job)}`));
  if (job.outcome) lines.push(made("p", job.state === "failed" ? "more alarm" : "more", job.outcome));
  if (job.scores) lines.push(made("p", "more dim", `KID ${job.scores.kid?.toFixed(4)} at epoch ${job.scores.epoch} (${job.scores.extractor})`));
  for (const alarm of job.alarms) lines.push(made("p", "more", `alarm: ${alarm}`));
  for (const warning of job.warnings) lines.push(made("p", "more dim", `warning: ${warning}`));
  return lines;
}

function waits(job) {
  return job.waits_for.startsWith("cannot") ? job.waits_for : `waits for ${job.waits_for}`;
}

function acts(job) {
  const group = made("div", "acts");
  const active = job.state === "running" || job.state === "queued";
  if (active) group.append(button(job, "stop", "Stop", job.stopping));
  if (!active && job.state !== "done") group.append(button(job, "resume", "Resume"));
  const log = made("a", "button", "Log");
  log.href = job.links.log;
  group.append(log);
  if (job.state !== "running") group.append(button(job, "delete", "Delete"));
  return group;
}

function button(job, act, text, disabled = false) {
  const control = made("button", act === "delete" ? "danger" : "", text);
  control.type = "button";
  control.dataset.act = act;
  control.disabled = disabled;
  control.setAttribute("aria-label", `${text} the job of ${job.dataset}, submitted ${new Date(job.created).toLocaleString()}`);
  control.addEventListener("click", () => change(job, act));
  return control;
}

async function change(job, act) {
  try {
    if (act === "delete") await ask(`${ROOT}/${job.id}`, { method: "DELETE" });
    else await sendJson(`${ROOT}/${job.id}/${act}`, {});
  } catch (error) {
    toast(error.message);
  }
  await look();
}

element("dataset").value = stateFromHash().dataset || "";
element("dataset").addEventListener("input", () => {
  stateToHash({ dataset: element("dataset").value.trim() });
  look();
});
look();
setInterval(() => document.hidden || look(), EVERY);
