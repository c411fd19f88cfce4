"""The label page: a small server on this machine, and what the browser needs.

    app ── guard            who may ask: host, origin, token, size; what every answer's headers say
     ├── catalogue          one dataset as it is now: squares, where each came from, what the filter says
     │    └── picture, views   one picture; which of them a view shows, and in which order
     ├── marks              labels: what holds now, and marks that must not overwrite newer ones
     ├── batch              what to label next
     ├── gain               what the last labels did, and whether more would help
     ├── thumbnails         squares small enough for a grid, originals safe enough for a browser
     └── rerun              the run that the page started: a process that outlives the server

Nothing here knows tasks: `place` says where the folders are and what the command is, and tasks fills it in. No state
is kept but in files: labels.jsonl is the truth, and a server that was killed has lost nothing.
"""
