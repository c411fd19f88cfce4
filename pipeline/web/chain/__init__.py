"""The chain of a dataset on its overview page: how each stage stands, what it made, and how a run comes on.

`chain_reader` puts it together as `chain_state` describes it: the plan (`plan_cache`), the figures of each stage in
words (`stage_figures`), how long it takes (`stage_times`), the run that works (`run_watch`), its training
(`live_training`). `best_pictures` finds the best pictures there are, `last_change` what is different since the run
before.
"""
