"""Labels: what people said about squares.

`log` is the truth, an append-only file. `folders` imports and exports folders of squares; `seed` labels the demo;
`snapshot` freezes the labels for a run; `suggest` tells which squares to label next.
"""
