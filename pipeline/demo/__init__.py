"""The embedded dataset, toadstools: it draws a small web site (`pages`, `picture`), serves it on loopback, and
knows the true label of every picture (`catalogue`).
"""

from pipeline.demo.catalogue import truth
from pipeline.demo.loopback_site import serve

VERSION = 1  # of the site as a whole; to be raised when any of its bytes would change

__all__ = ["VERSION", "serve", "truth"]
