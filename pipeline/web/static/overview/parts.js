// The parts of the page that the server makes again when more changes than how far a run is. Only parts that differ are
// exchanged, so that pictures do not flicker and what has the focus keeps it.

import { datasetRoot, stateFromHash, stateToHash } from "../dom.js";

const PARTS = "[id^=part-]";

export class Parts {
  constructor(holder) {
    this.holder = holder;
    this.version = "";
    this.texts = new Map([...holder.querySelectorAll(PARTS)].map((part) => [part.id, part.outerHTML]));
    holder.addEventListener("click", (event) => this.choose(event.target.closest(".node")));
    window.addEventListener("hashchange", () => this.dress());
    window.addEventListener("resize", () => fit(holder));
    this.dress();
  }

  /** Load the parts if `version` is not what is shown. */
  async load(version) {
    this.wanted = version;
    if (this.loading) return;
    this.loading = true;
    while (this.wanted !== this.version && (await this.renew(this.wanted)));
    this.loading = false;
  }

  async renew(version) {
    try {
      const answer = await fetch(`${datasetRoot()}parts`, { signal: AbortSignal.timeout(20_000) });
      if (!answer.ok) return false; // the next state tries again
      this.exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
      this.version = version;
      return true;
    } catch {
      return false;
    }
  }

  exchange(made) {
    const focused = document.activeElement?.id;
    for (const part of made.querySelectorAll(PARTS)) {
      if (this.texts.get(part.id) === part.outerHTML) continue;
      this.texts.set(part.id, part.outerHTML);
      const old = document.getElementById(part.id);
      for (const open of old.querySelectorAll("details[open][id]")) part.querySelector(`#${open.id}`)?.setAttribute("open", "");
      old.replaceWith(document.adoptNode(part));
    }
    this.dress();
    if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }

  /** Show the figures of a stage, or hide them if they are shown. */
  choose(node) {
    if (!node) return;
    const stage = node.parentElement.dataset.stage;
    stateToHash({ stage: stateFromHash().stage === stage ? "" : stage });
    this.dress();
    document.getElementById(node.getAttribute("aria-controls")).scrollIntoView({ block: "nearest" });
  }

  /** Show what the address asks for, and each picture as large as its pixels allow. */
  dress() {
    const { stage } = stateFromHash();
    for (const node of this.holder.querySelectorAll(".node")) {
      const chosen = node.parentElement.dataset.stage === stage;
      node.setAttribute("aria-expanded", String(chosen));
      document.getElementById(node.getAttribute("aria-controls")).hidden = !chosen;
    }
    fit(this.holder);
  }
}

const WIDEST = 720; // CSS pixels up to which small pictures are enlarged, by whole factors

/** Pictures are shown at their own size or a multiple of it, so that no row of pixels is lost; wider ones scroll. */
function fit(holder) {
  for (const picture of holder.querySelectorAll("img.fit")) {
    const own = Number(picture.getAttribute("width")) || picture.naturalWidth;
    if (!own) {
      picture.addEventListener("load", () => fit(holder), { once: true });
      continue;
    }
    const space = Math.min(WIDEST, picture.closest("section").clientWidth);
    picture.style.width = `${own * Math.max(1, Math.floor(space / own))}px`;
  }
}
