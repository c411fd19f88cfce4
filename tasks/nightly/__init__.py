"""Every night: each subject gets its turn as a process of its own, then the disk is kept in its budget, and the
morning has a page, a mail and a webhook.

`night_tasks` has the Luigi tasks, `nightly_command` the command `nightly`. `night_options` is the section [nightly] of
luigi.cfg, `subject_order` says who comes first, `subject_turn` gives a turn (`subject_process` runs its process),
`night_figures` reads what came of it. `morning` makes the summary and the page, `night_news` sends mail and webhook
(`webhook` posts, each within its `deadline`), `night_plan` keeps the plan, `night_lock` lets one process work at
a time, `night_files` knows where everything is.
"""
