// The command of each key.

const KEYS = {
  KeyY: "on", Digit1: "on", Numpad1: "on",
  KeyN: "off", Digit2: "off", Numpad2: "off",
  KeyU: "unsure", Digit3: "unsure", Numpad3: "unsure",
  Digit0: "clear", Numpad0: "clear", Delete: "clear", Backspace: "clear",
  KeyZ: "undo", Enter: "zoom", Space: "zoom", KeyS: "source", KeyR: "rest", KeyP: "preview", KeyW: "why",
  BracketLeft: "previous", BracketRight: "next",
}; // by position on the keyboard
const LETTERS = {
  y: "on", n: "off", u: "unsure", z: "undo", s: "source", r: "rest", p: "preview", w: "why",
  "[": "previous", "]": "next", "?": "help", "/": "find", "+": "larger", "=": "larger", "-": "smaller",
};
const STEPS = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: (columns) => -columns,
  ArrowDown: (columns) => columns,
};

/** The command of a key: Latin letters in any layout; other keys and other alphabets by position on the keyboard. */
export function command(event) {
  const key = event.key.toLowerCase();
  return LETTERS[key] || (/^[a-z]$/.test(key) ? undefined : KEYS[event.code]);
}

/** The index of the tile that a key moves to; undefined for other keys. */
export function movedTo(event, board) {
  if (event.key in STEPS) return board.cursor + STEPS[event.key](board.columns());
  if (event.key === "Home") return 0;
  if (event.key === "End") return board.pictures.length - 1;
  return undefined;
}
