"""Imported last by a fork server: makes it ready to fork, and lets it exit at once when its run ends.

The server holds only imported modules: TensorFlow's normal shutdown would take a second.
"""

import atexit
import gc
import os

gc.freeze()  # what is imported lives as long as the server, and its memory stays shared with the forked processes
atexit.register(os._exit, 0)
