// The page that adds pictures to a dataset.

import { element } from "./dom.js";
import { gather, gathered, inWords, sendAll } from "./uploads.js";

const address = `/api/v1/datasets/${encodeURIComponent(document.body.dataset.dataset)}/pictures`;

gather(() => (element("send").disabled = !gathered().length));
element("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  element("send").disabled = true;
  element("problem").hidden = true;
  element("note").textContent = "sending…";
  try {
    element("note").textContent = `${inWords(await sendAll(address, address))} The next run uses them.`;
    element("clear-files").click();
  } catch (error) {
    element("note").textContent = "";
    element("problem").textContent = error.message;
    element("problem").hidden = false;
    element("send").disabled = false;
  }
});
