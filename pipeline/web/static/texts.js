// The sentences of the page.

/** How the marks are on their way: `fault` says why they wait, and is empty when nothing is wrong. */
export function savingText(count, fault) {
  if (fault && count) return `${count} not yet saved: ${fault} They are kept here and sent when it answers.`;
  if (fault) return `${fault} What you mark is kept here.`;
  return count ? `saving ${count}…` : "all saved";
}

/** What the last labels did, and whether more would help. */
export function adviceText({ filtered, newer, gain, hint }) {
  const first = "The filter has not run yet: some 30 pictures that belong and 50 that do not are enough to begin with.";
  const fresh = newer ? `${newer} ${newer === 1 ? "label is" : "labels are"} newer than the filter.` : "";
  return [filtered ? fresh : first, gain, hint].filter(Boolean).join(" ");
}

/** What became of marks that came too late. */
export function refusedText(refused) {
  const now = refused[0].now ?? "otherwise";
  return `${refused.length} not saved: labelled ${now} elsewhere meanwhile, and that stays`;
}
