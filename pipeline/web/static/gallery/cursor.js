// The line in every chart that shows where the slider is; a click in a chart moves the slider.

/** Move the cursors of the charts inside `root` to `epoch`. */
export function moveCursors(root, epoch) {
  for (const chart of root.querySelectorAll("svg.chart")) {
    const [left, right, low, high] = ["left", "right", "low", "high"].map((name) => Number(chart.dataset[name]));
    const cursor = chart.querySelector(".cursor");
    const inside = epoch !== null && epoch >= low && epoch <= high;
    cursor.setAttribute("visibility", inside ? "visible" : "hidden");
    const x = left + ((epoch - low) / (high - low)) * (right - left);
    if (inside) for (const name of ["x1", "x2"]) cursor.setAttribute(name, x.toFixed(1));
  }
}

/** Call `onEpoch` with the epoch of a click in one of the charts inside `root`. */
export function followClicks(root, onEpoch) {
  root.addEventListener("click", (event) => {
    const chart = event.target.closest("svg.chart");
    if (!chart) return;
    const box = chart.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
    const [left, right, low, high] = ["left", "right", "low", "high"].map((name) => Number(chart.dataset[name]));
    const share = Math.min(1, Math.max(0, (x - left) / (right - left)));
    onEpoch(low + share * (high - low), chart);
  });
}
