"""The pages of the studio: each module has the routes of one page, and of the JSON that only its script asks for.

Of the server: `home_page` (datasets), `new_page` (make one), `jobs_page` (the queue), `definitions_page`, `races_page`
and `vote_page`, `api_docs_page` (the REST interface). Of a dataset: `overview_page` (its stages), `label_page`,
`filter_page` (the threshold), `gallery_page` (trainings), `samples_page`, `runs_page`, `compare_page`,
`dataset_settings_page`, `reports_page`. What adds a module's routes is its function of that name, which app.py calls.
"""
