"""The demo dataset, toadstools: draw a small web site (`pages`, `picture`), serve it on loopback, and know the true
label of each picture (`catalogue`).
"""

from pipeline.demo.catalogue import truth
from pipeline.demo.loopback_site import serve

VERSION = 1  # of the site; raise it if any of its bytes changes

__all__ = ["VERSION", "serve", "truth"]
