"""Turn pictures of any kind into squares that are alike, tell copies, and lay them out on sheets.

`normalize.normalize` is the stage; `image_set.read_images` gives what it made to those that learn from it. In the
processes of `pool`, `prepare` makes a raw picture a square: `decode` (with `colour`) to a `raster`, `fit`, `quality`,
`phash`, `png`. Then `duplicates` (with `near`) finds copies, and `overview` draws the sheets.
"""
