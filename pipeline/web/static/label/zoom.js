// The original picture, large, with what is known about it.

import { datasetRoot, made } from "../dom.js";
import { score } from "./board.js";
import { LABEL_NAMES } from "./texts.js";

const OUTCOMES = { kept: "kept", rejected: "rejected", unsure: "borderline, not kept" };

export class Zoom {
  constructor(server) {
    this.server = server;
    this.dialog = document.getElementById("zoom");
    document.getElementById("zoom-close").addEventListener("click", () => this.dialog.close());
    this.image = document.getElementById("zoom-picture");
  }

  get open() {
    return this.dialog.open;
  }

  toggle(picture) {
    if (this.open) return this.dialog.close();
    this.show(picture);
    this.dialog.showModal();
  }

  show(picture) {
    if (!picture) return;
    const address = this.server.original(picture);
    if (this.image.getAttribute("src") !== address) this.image.src = address;
    document.getElementById("zoom-title").textContent = picture.title || "(no title)";
    const rows = facts(picture).filter(([, value]) => value);
    document.getElementById("zoom-facts").replaceChildren(
      ...rows.flatMap(([name, value]) => [made("dt", "", name), described(value)]),
    );
  }
}

function facts(picture) {
  return [
    ["label", LABEL_NAMES[picture.label] || "none"],
    ["score", score(picture)],
    ["filter", OUTCOMES[picture.outcome] || ""],
    ["", picture.suspect ? "the label contradicts the classifier, and may be wrong" : ""],
    ["size", picture.width && picture.height ? `${picture.width} × ${picture.height}` : ""],
    ["found by", picture.source],
    ["page", picture.page && link(picture.page)],
    ["address", picture.url && link(picture.url)],
    ["trace", trace(picture)],
    ["creator", picture.creator],
    ["licence", picture.license],
    ["id", picture.id],
  ];
}

/** A link to everything that is known of how this square came about and where it went. */
function trace({ id }) {
  const found = made("a", "", "from its source to the samples");
  found.href = `${datasetRoot()}samples#trace=${id}`;
  return found;
}

function described(value) {
  const cell = made("dd");
  cell.append(value);
  return cell;
}

function link(address) {
  const found = made("a", "", address);
  found.href = address; // the server sends only http and https addresses
  found.target = "_blank";
  found.rel = "noopener noreferrer";
  return found;
}
