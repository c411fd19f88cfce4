"""Datasets as a whole: their cards, making and filling them, the archive.

`dataset_cards` -> `manifest_heads`, `card_pictures`, `ended_runs`; `dataset_archives` has what was taken off the list;
`new_dataset` makes a dataset, and `added_pictures` adds to one, both with what uploads.py takes from a request.
"""
