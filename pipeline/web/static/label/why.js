// "Why is this not in?": what became of a picture, by its URL, file name, title, creator or id.

import { element, made } from "../dom.js";
import { getJson } from "../http.js";

const SLOW = 60_000; // ms; the first question reads the rows of two stages

export class Why {
  /** `asked` is called with the question, or with nothing when the dialog closes; `chosen` with the id of a square. */
  constructor(dataset, server, { asked, chosen }) {
    this.address = `/api/v1/datasets/${encodeURIComponent(dataset)}/why`;
    this.server = server;
    this.dialog = element("why");
    this.latest = 0;
    this.callbacks = { asked, chosen };
    element("why-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask(element("why-search").value);
    });
    element("why-search").addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault(); // of itself, a search field only becomes empty
      this.dialog.close();
    });
    element("why-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => asked(""));
  }

  open(question = "") {
    element("why-search").value = question;
    element("why-found").replaceChildren();
    element("why-line").textContent = "";
    if (!this.dialog.open) this.dialog.showModal();
    if (question) this.ask(question);
    else element("why-search").focus();
  }

  async ask(question) {
    const mine = ++this.latest;
    if (!question.trim()) return;
    this.callbacks.asked(question);
    element("why-line").textContent = "Looking…";
    try {
      const { total, found } = await getJson(this.address, { search: question }, SLOW);
      if (mine !== this.latest) return;
      element("why-found").replaceChildren(...found.map((answer) => this.row(answer)));
      element("why-line").textContent = countText(total, found.length);
    } catch (error) {
      if (mine === this.latest) element("why-line").textContent = error.message;
    }
  }

  row(answer) {
    const row = made("li", `answer ${answer.state}`);
    const facts = made("div");
    const file = answer.file && answer.file !== answer.title ? ` ${answer.file}` : "";
    facts.append(made("b", "", answer.title || answer.id.slice(0, 12)), made("span", "dim", file), made("p", "", sentence(answer.text)));
    if (answer.page) facts.append(link(answer.page, "page"));
    if (answer.url) facts.append(" ", link(answer.url, "address"));
    row.append(answer.square ? this.square(answer.square) : made("span", "nothing", "no square"), facts);
    return row;
  }

  square(id) {
    const found = made("a");
    found.href = `#view=all&search=${id}`;
    found.addEventListener("click", (event) => {
      event.preventDefault(); // or the address would change twice
      this.dialog.close();
      this.callbacks.chosen(id);
    });
    const image = made("img");
    image.src = this.server.square({ id, version: "" });
    image.alt = "show this square in the grid";
    found.append(image);
    return found;
  }
}

function countText(total, shown) {
  if (!total) return "The download asked for no such picture: no file name, URL, title, creator or id is like this.";
  return total > shown ? `${total} pictures; the first ${shown}:` : `${total} ${total === 1 ? "picture" : "pictures"}:`;
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

function link(address, text) {
  const found = made("a", "", text);
  found.href = address; // the server sends only http and https addresses
  found.target = "_blank";
  found.rel = "noopener noreferrer";
  found.title = address;
  return found;
}
