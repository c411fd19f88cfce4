"""Imported last by the server that stages are forked from, so that it ends at once when its run does: it holds nothing
but what it has imported, and TensorFlow takes a second to take that down."""

import atexit
import os

atexit.register(os._exit, 0)
