// One style transfer: its parts are replaced as it goes on; a slider shows the sheet of each step.
import { element, toast } from "./dom.js";
import { ask, getJson, sendJson } from "./http.js";

const POLL_MS = 1000;
const id = document.body.dataset.style;
const api = `/api/v1/styles/${id}`;
const WORKING = ["running", "queued"];
let known = "";

function bind() {
  const slider = element("step");
  slider?.addEventListener("input", () => {
    const step = slider.dataset.steps.split(",")[slider.value];
    element("step-shown").textContent = step;
    element("sheet").src = slider.dataset.root + step;
  });
  for (const button of document.querySelectorAll("[data-do]")) button.onclick = () => act(button.dataset.do);
}

async function act(what) {
  try {
    if (what !== "delete") await sendJson(`${api}/${what}`, {});
    else if (confirm("Delete this style transfer, its pictures and its results?")) {
      await ask(api, { method: "DELETE" });
      location.href = "/styles";
      return;
    }
    await replaceParts();
    follow();
  } catch (error) {
    toast(error.message);
  }
}

/** Fetch the page again, and exchange what changes; a slider that a person has moved back stays where it is. */
async function replaceParts() {
  const answer = await fetch(location.href);
  if (!answer.ok) throw new Error("this style transfer is gone");
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const slider = element("step");
  const moved = slider && slider.value !== slider.max ? slider.value : null;
  const focused = document.activeElement?.id;
  const open = [...document.querySelectorAll("#parts details")].map((each) => each.open);
  element("parts").replaceWith(fresh.getElementById("parts"));
  [...document.querySelectorAll("#parts details")].forEach((each, number) => (each.open = open[number] ?? false));
  bind();
  if (moved !== null && element("step")) {
    element("step").value = moved;
    element("step").dispatchEvent(new Event("input"));
  }
  if (focused) element(focused)?.focus();
}

let following = false;
let told = "";

async function follow() {
  if (following) return;
  following = true;
  while (WORKING.includes(element("parts").dataset.state)) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (document.hidden) continue;
    try {
      const found = JSON.stringify(await getJson(api));
      if (found !== known) await replaceParts();
      known = found;
      told = "";
    } catch (error) {
      if (error.message !== told) toast(error.message); // once, until it works again
      told = error.message;
      if (error.status === 404) break; // deleted, in another window
    }
  }
  following = false;
}

bind();
follow();
