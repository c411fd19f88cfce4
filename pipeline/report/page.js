// The slider over the epochs. Without it, the last sheet and all sheets beside each other are shown.
const links = [...document.querySelectorAll("#strip a")];
const slider = document.getElementById("epoch");
const sheet = document.getElementById("sheet");

function show(place) {
  const link = links[place], caption = `epoch ${link.dataset.epoch}`;
  slider.value = place;
  slider.setAttribute("aria-valuetext", caption);
  document.getElementById("epoch-shown").textContent = caption;
  sheet.src = sheet.parentElement.href = link.getAttribute("href");
  sheet.alt = `Sample sheet of ${caption}`;
}

function placeInAddress() {
  const place = links.findIndex((link) => location.hash === `#epoch=${link.dataset.epoch}`);
  return place < 0 ? links.length - 1 : place;
}

if (slider && links.length > 1) {
  slider.max = links.length - 1;
  slider.addEventListener("input", () => {
    show(slider.valueAsNumber);
    history.replaceState(null, "", `#epoch=${links[slider.value].dataset.epoch}`);
  });
  addEventListener("hashchange", () => show(placeInAddress()));
  links.forEach((link) => { new Image().src = link.href; }); // so that no sheet is late
  document.getElementById("strip").open = false;
  slider.parentElement.hidden = false;
  show(placeInAddress());
}
