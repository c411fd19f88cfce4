"""The report stage: one HTML page about a dataset.

`report.write_report` reads the artifacts of all other stages (manifests, scores, statistics, samples), draws plots and
contact sheets, and renders a template with Jinja. The page contains copies of all its images, so
it can be sent as a folder.
"""
