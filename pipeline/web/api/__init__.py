"""The REST interface: the routes below /api/v1, each module those of one resource. The pages' own scripts use them too.

`datasets_api` lists, makes, fills, archives and deletes datasets, `settings_api` has their settings, `definitions_api`
the GAN definitions.
"""
