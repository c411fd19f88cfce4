"""The REST interface under /api/v1: each module has the routes of one resource.

`races_api` has races, their entries and results.
"""
