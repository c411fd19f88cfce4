"""The label page: a small web server on this machine.

server (listens) -> security (host, origin, token, size), connections (limits) -> routes -> dataset_view
dataset_view joins picture_index (squares and scores), views (which are shown), label_sync (labels of several tabs),
suggestions (what to label next) and background_run (the run that the page started).
No state is kept but in files, so a server that is killed loses nothing. `dataset_paths` says where the folders are.
"""
