"""The REST interface below /api/v1: each module has the routes of one kind of thing, which the pages' scripts use too.

`jobs_api` submits runs and says how they stand, `job_files_api` has what they make. `gan_model_api` is the route that
the server of IBM's gan-toolkit has. `progress_api` says how a dataset stands, also as server-sent events, and what a
run would do. `trainings_api` has the trainings of a dataset with their sheets and films, `runs_api` its runs, and the
notes on both, `comparison_api` what differs between several; `sample_api` the samples, made and drawn; `trace_api` what
a thing is connected to.
"""
