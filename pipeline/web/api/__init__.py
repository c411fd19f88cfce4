"""The REST interface below /api/v1, a module for each resource; scripts of the pages use it too.

`sample_api` has the samples, made and drawn; `trace_api` what a thing is connected to.
"""
