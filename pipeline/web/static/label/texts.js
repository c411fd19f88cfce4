// The texts of the page.

export const LABEL_NAMES = { on: "on target", off: "off target", unsure: "skip" };

/** How many labels are not saved yet; `fault` is the reason why they wait, or empty. */
export function savingText(count, fault) {
  if (fault && count) return `${count} not yet saved: ${fault} They are kept in this browser and sent when it responds.`;
  if (fault) return `${fault} Labels are kept in this browser.`;
  return count ? `saving ${count}…` : "all saved";
}

/** What the last labels changed, and whether more would help. */
export function adviceText({ filtered, newer, gain, hint, enough_labels: { on, off } }) {
  const first = `The filter has not run yet: about ${on} squares on target and ${off} off target are enough to begin with.`;
  const fresh = newer ? `${newer} ${newer === 1 ? "label is" : "labels are"} newer than the filter.` : "";
  return [filtered ? fresh : first, gain, hint].filter(Boolean).join(" ");
}

/** How many labels of each kind there are, and how many of them are for validation. */
export function tallyText({ labels, validation }) {
  const counts = `${labels.on} on target, ${labels.off} off target, ${labels.unsure} skip`;
  return validation ? `${counts}; ${validation} of them for validation` : counts;
}

/** What comes after the labels that are enough to begin with. */
export function enoughText(reached) {
  return reached ? "enough to begin with: update the filter" : "";
}

/** Edits that were refused because another label was given meanwhile. */
export function refusedText(refused) {
  const now = LABEL_NAMES[refused[0].now];
  const change = now ? `labelled ${now}` : "unlabelled";
  return `${refused.length} not saved: ${change} elsewhere meanwhile, and that stays`;
}
