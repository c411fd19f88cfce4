"""The REST interface: each module has the routes of one kind of thing, with their descriptions for OpenAPI.

`jobs_api` submits runs and says how they stand, `job_files_api` has what they make. `gan_model_api` is the route that
the server of IBM's gan-toolkit has.
"""
