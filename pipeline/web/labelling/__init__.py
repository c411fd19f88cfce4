"""One dataset as the label page shows it: `dataset_view` answers all that the page asks.

It combines `picture_index` (squares, their sources and scores), `views` (which squares are shown), `label_sync` (labels
from several tabs) and `suggestions` (what to label next). `thumbnails` has the images of squares and pictures.
"""
