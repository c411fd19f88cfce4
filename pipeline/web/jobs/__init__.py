"""Runs that the studio starts: `background_run` is the run of one dataset, a process that outlives the server.

Its state is in files, so that another server can continue with it.
"""
