"""The pages of the studio: each module has the routes of one page, and of the JSON that its script asks for.

`home_page` lists the datasets, `label_page` is for labelling, `filter_page` for the threshold of the filter. What adds
a module's routes is its function of that name, which app.py calls; the template of a page is in the folder of templates
beside this one, its script in that of scripts.
"""
