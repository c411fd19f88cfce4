"""The chain of a dataset on its overview page: how each stage stands, what it made, and how a run comes on.

`chain_reader` puts it together as `chain_state` describes it: the plan (`plan_cache`), the figures of each stage in words
(`stage_figures`), how long it takes (`stage_times`), the run that works (`run_watch`), its training (`live_training`),
the best pictures there are (`best_pictures`), and what changed since the run before (`last_change`).
"""
