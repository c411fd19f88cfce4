"""The embedded dataset, toadstools: a small web site that is drawn, and served on loopback.

`catalogue` says which pictures there are and knows the true label of each; `picture` draws one (`scene`, `canvas`, and
`toadstool`, `relatives`, `clutter`); `files` and `pages` make files and HTML of them; `loopback_site` serves it.
"""

from pipeline.demo.catalogue import truth
from pipeline.demo.loopback_site import serve

VERSION = 1  # of the site as a whole; to be raised when any of its bytes would change

__all__ = ["VERSION", "serve", "truth"]
