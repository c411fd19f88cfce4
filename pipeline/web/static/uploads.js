// Gathers pictures that are dropped or chosen, and sends them in parts that each fit into a request.

import { element } from "./dom.js";
import { ask } from "./http.js";

const PART_FILES = 200;
const PART_BYTES = 64 << 20;
const LARGEST = 1 << 30; // bytes of one file, as the server allows
const PATIENCE = 3_600_000; // ms for one part
const files = new Map();

/** The files that were gathered. */
export function gathered() {
  return [...files.values()];
}

/** Let a person gather files; `changed` is called after each change. */
export function gather(changed = () => {}) {
  const drop = element("drop");
  const add = (found) => {
    for (const file of found) {
      const name = file.webkitRelativePath || file.name;
      if (!file.name.startsWith(".")) files.set(`${name} ${file.size} ${file.lastModified}`, file);
    }
    show();
    changed();
  };
  for (const id of ["files", "whole-folder"]) {
    element(id).addEventListener("change", ({ target }) => {
      add([...target.files]);
      target.value = "";
    });
  }
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const found = entries.length ? (await Promise.all(entries.map(filesIn))).flat() : [...event.dataTransfer.files];
    add(found);
  });
  element("clear-files").addEventListener("click", () => {
    files.clear();
    show();
    changed();
  });
}

function show() {
  const bytes = gathered().reduce((sum, file) => sum + file.size, 0);
  const names = gathered().slice(0, 3).map((file) => file.name).join(", ");
  const many = files.size > 3 ? ", …" : "";
  const text = `${files.size} file${files.size === 1 ? "" : "s"}, ${(bytes / 1e6).toFixed(1)} MB: ${names}${many}`;
  element("gathered").textContent = files.size ? text : "Drop pictures, folders or zip files here, or choose them.";
  element("clear-files").hidden = !files.size;
}

/** All files in a dropped file or folder. */
async function filesIn(entry) {
  if (entry.isFile) return [await new Promise((resolve, reject) => entry.file(resolve, reject))];
  const reader = entry.createReader();
  const found = [];
  for (;;) { // a browser gives a hundred at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...(await Promise.all(some.map(filesIn))).flat());
  }
}

/** Send what was gathered: the first part with `fields` to `first`, the others to `next`; returns the sums of all. */
export async function sendAll(first, next, fields = {}) {
  const tooLarge = gathered().find((file) => file.size > LARGEST);
  if (tooLarge) throw new Error(`${tooLarge.name} is larger than 1 GB; send its pictures in several files`);
  const bar = element("progress");
  bar.hidden = false;
  const parts = split(gathered());
  const total = { added: 0, same: 0, left_out: 0, reasons: [] };
  for (const [at, part] of parts.entries()) {
    bar.value = at / parts.length;
    const form = new FormData();
    for (const [name, value] of Object.entries(at ? {} : fields)) form.append(name, value);
    for (const file of part) form.append("pictures", file, file.name);
    const found = await ask(at ? next : first, { method: "POST", body: form }, PATIENCE);
    for (const name of ["added", "same", "left_out"]) total[name] += found[name];
    total.reasons.push(...found.reasons);
    Object.assign(total, { page: found.page });
  }
  bar.value = 1;
  return total;
}

function split(all) {
  const parts = [[]];
  let bytes = 0;
  for (const file of all) {
    const part = parts.at(-1);
    if (part.length && (part.length >= PART_FILES || bytes + file.size > PART_BYTES)) {
      parts.push([file]);
      bytes = file.size;
    } else {
      part.push(file);
      bytes += file.size;
    }
  }
  return parts;
}

/** What became of the files, in words. */
export function inWords({ added, same, left_out, reasons }) {
  const parts = [`${added} picture${added === 1 ? "" : "s"} stored`];
  if (same) parts.push(`${same} there already`);
  if (left_out) parts.push(`${left_out} left out (${reasons[0].name}: ${reasons[0].reason})`);
  return `${parts.join("; ")}.`;
}
