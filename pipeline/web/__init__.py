"""The label page: a small web server for this machine.

server (listens) -> security (host, origin, token, size), connections (limits) -> routes -> dataset_view
dataset_view combines picture_index (squares and scores), views (which squares are shown), label_sync (labels from
several tabs), suggestions (what to label next) and background_run (the run that the page started).
All state is in files, so a killed server loses nothing. `dataset_paths` says where the folders are.
"""
