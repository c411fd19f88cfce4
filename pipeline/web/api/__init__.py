"""The REST interface, below /api/v1; its description is at /api/openapi.json.

`progress_api` says how a dataset stands: polled, as server-sent events, and the plan of a run.
"""
