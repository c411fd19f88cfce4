// The tabs at the top of every page: in a narrow window they scroll, and the current one is in sight.

const frame = document.querySelector(".frame");
const current = frame?.querySelector("[aria-current]");
if (current) {
  const { left, width } = current.getBoundingClientRect();
  frame.scrollLeft += left + width / 2 - frame.clientWidth / 2; // only sideways: the page stays where it is
}
