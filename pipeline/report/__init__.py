"""The report stage: one HTML page about a dataset; the page of its trainings; exports of its pictures.

`report.write_report` reads the artifacts of all other stages (manifests, scores, statistics, samples), draws plots and
contact sheets, and renders a template with Jinja. The page contains copies of all its images, so it can be sent as a
folder. `report_page` fills its template, `page_assets` has its style and script, `glossary` explains words to it and
the studio. `trainings` numbers the trainings, `gallery` writes the page that shows them, `films` knows what browsers
play. `export_files` names and describes pictures, `export_layouts` lays them out, `export_folder` and `export_shards`
write them into a person's folder. `trace` leads from a sample, a sheet or a picture to all that it is connected to.
"""
