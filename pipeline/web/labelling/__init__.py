"""One dataset as the label page and the filter's page show it: `dataset_view` answers all that they ask.

It combines `picture_index` (squares, their sources and scores), `views` (which squares are shown), `label_sync` (labels
from several tabs), `suggestions` (what to label next) and `lost_pictures` (why a picture is not in). `label_bodies` is
what requests ask and get; `thumbnails` has the images of squares and pictures; `filter_figures` what each threshold of
the filter would do, `histogram` its scores.
"""
