"""The pages of the studio: each module has the routes of one page, and of the JSON that its script asks for.

`home_page` lists the datasets, `jobs_page` shows the queue, `api_docs_page` the REST interface. Of a dataset:
`overview_page` shows the stages, `label_page` is for labelling, `gallery_page` shows trainings, `runs_page` lists runs
and trainings, `compare_page` shows several beside each other. What adds a module's routes is its function of that name,
which app.py calls; the template of a page is in the folder of templates beside this one, its script in that of scripts.
"""
