"""The demo dataset, toadstools: draw a small web site and serve it on loopback.

`catalogue` says which pictures there are and knows the true label of each; `picture` draws one (`scene`, `canvas`, and
`toadstool`, `relatives`, `clutter`); `files` and `pages` make files and HTML of them; `loopback_site` serves it.
"""

from pipeline.demo.catalogue import truth
from pipeline.demo.loopback_site import serve

VERSION = 1  # of the site; raise it if any of its bytes changes

__all__ = ["VERSION", "serve", "truth"]
