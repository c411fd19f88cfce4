"""The pages of the studio: each module has the routes of one page, and of the JSON that its script asks for.

`home_page` lists the datasets, `new_page` makes one, `label_page` is for labelling, `dataset_settings_page` for
settings, `definitions_page` for GAN definitions. What adds a module's routes is its function of that name, which app.py
calls; the template of a page is in the folder of templates beside this one, its script in that of scripts.
"""
