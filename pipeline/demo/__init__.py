"""The embedded subject: toadstools. It draws a small web site, serves it on loopback, and knows the truth about it."""

from pipeline.demo.catalogue import truth
from pipeline.demo.site import serve

VERSION = 1  # of the site as a whole; to be raised when any of its bytes would change

__all__ = ["VERSION", "serve", "truth"]
