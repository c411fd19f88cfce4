"""The REST interface: each module has the routes of one kind of thing, with their descriptions for OpenAPI.

`jobs_api` submits runs and says how they stand.
"""
