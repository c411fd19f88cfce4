"""Labels: what people say about squares (on target, off target, skip).

`log` is the source of truth, an append-only file. `folders` imports and exports folders of squares; `seed` labels the
demo; `snapshot` freezes the labels for a run; `suggest` selects which squares to label next (active learning).
"""
