"""The normalise stage (`normalize`): from pictures of any kind to squares, without duplicates; and contact sheets.

In the processes of `worker_pool`, `prepare` makes a picture a square: `decode` (with `colour`) to a `raster`, `crop`,
`quality`, `hashing`, `png`. Then `duplicates` finds copies, and `overview` draws contact sheets of the kept and of the
rejected. `dataset.read_images` reads the squares for all that learn from them.
"""
