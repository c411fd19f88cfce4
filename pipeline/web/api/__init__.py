"""The REST interface below /api/v1: each module has the routes of one kind of thing, which the pages' scripts use too.

Of the server: `jobs_api` (submit runs), `job_files_api` (what they make), `gan_model_api` (as IBM's gan-toolkit has
it), `definitions_api`, `races_api`. Of datasets: `datasets_api`, `settings_api`, `labels_api` (squares and labels, why
a picture is no square), `progress_api` (how the stages stand, also as server-sent events), `trainings_api`, `runs_api`
(and notes), `comparison_api` (what differs), `sample_api` (made and drawn), `trace_api` (what belongs together).
"""
