// The form of a new style transfer: pictures are dropped or chosen, and sent together with the options.
import { element, made } from "./dom.js";
import { ask } from "./http.js";

const PATIENCE = 600_000; // ms for the upload
const SHOWN = 8; // pictures of a field
const HEIGHT = 96; // pixels of a picture there
const files = { content: [], style: [] };

for (const drop of document.querySelectorAll("[data-drop]")) {
  const name = drop.dataset.drop;
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    add(drop, name, event.dataTransfer.files);
  });
  drop.querySelector("[data-files]").addEventListener("change", ({ target }) => {
    add(drop, name, target.files);
    target.value = "";
  });
  drop.querySelector("[data-clear]").addEventListener("click", () => {
    files[name] = [];
    show(drop, name);
  });
}

function add(drop, name, found) {
  files[name].push(...found);
  show(drop, name);
}

function show(drop, name) {
  const shown = files[name].slice(0, SHOWN);
  drop.querySelector(".thumbs").replaceChildren(...shown.map((file) => removable(file, drop, name)));
  const count = files[name].length;
  drop.querySelector("[role=status]").textContent = count ? `${count} picture${count === 1 ? "" : "s"}` : "Drop pictures here.";
  drop.querySelector("[data-clear]").hidden = count < 2;
  if (name === "content" && count && element("dataset")) element("dataset").value = "";
}

/** A small picture that leaves the field when a person clicks it. */
function removable(file, drop, name) {
  const button = made("button", "remove");
  button.type = "button";
  button.title = button.ariaLabel = `Remove ${file.name}`;
  button.append(thumbnail(file));
  button.addEventListener("click", () => {
    files[name] = files[name].filter((each) => each !== file);
    show(drop, name);
    (drop.querySelector(".remove") ?? drop.querySelector("[data-files]")).focus();
  });
  return button;
}

/** A small picture of a file that is not sent yet; its name where the browser cannot decode it, as with a zip. */
function thumbnail(file) {
  const canvas = made("canvas");
  canvas.height = canvas.width = HEIGHT;
  createImageBitmap(file, { resizeHeight: HEIGHT, resizeQuality: "medium" })
    .then((bitmap) => {
      canvas.width = bitmap.width;
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      bitmap.close();
    })
    .catch(() => canvas.replaceWith(made("span", "dim", file.name)));
  return canvas;
}

/** Content is pictures or samples of a dataset: whoever chooses one takes the other back. */
element("dataset")?.addEventListener("change", ({ target }) => {
  if (!target.value || !files.content.length) return;
  files.content = [];
  show(document.querySelector("[data-drop=content]"), "content");
  element("sending").textContent = "Samples are drawn instead of the pictures that were dropped.";
});

function options() {
  const given = {};
  for (const field of document.querySelectorAll("[data-option]")) {
    const value = field.value.trim();
    if (value && value !== field.dataset.default) given[field.dataset.option] = value;
  }
  return given;
}

element("new").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData();
  const dataset = element("dataset")?.value;
  form.append("name", element("name").value);
  if (dataset) {
    form.append("dataset", dataset);
    form.append("samples", element("samples").value);
  } else {
    for (const file of files.content) form.append("content", file, file.name);
  }
  for (const file of files.style) form.append("style", file, file.name);
  form.append("options", JSON.stringify(options()));
  element("problem").hidden = true;
  element("start").disabled = true;
  element("sending").textContent = "Sending…";
  try {
    const found = await ask("/api/v1/styles", { method: "POST", body: form }, PATIENCE);
    location.href = `/styles/${found.id}`;
  } catch (error) {
    element("problem").textContent = error.message;
    element("problem").hidden = false;
    element("start").disabled = false;
    element("sending").textContent = "";
  }
});
