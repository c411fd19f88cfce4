"""The normalise stage (`normalize`): convert pictures of any format to squares, find duplicates, draw contact sheets.

Processes of `worker_pool` run `prepare`, which converts one picture: `decode` (with `colour`) to a `raster`, `crop`,
`quality`, `hashing`, `png`. Then `duplicates` finds near-duplicates (by `hashing` and `thumbnail_distances`), and
`overview` draws the contact sheets. `dataset.read_images` reads the squares for the stages that learn from them.
"""
