"""What there is to see of the trainings and runs of a dataset.

`trainings_view` finds the trainings, `training_list` lists them, and `training_course` reads their statistics;
`run_facts` reads the records of runs, `runs_view` lists them with what changed; `notes` has the stars, names and notes
that people give. `comparison` finds the differences between several, `square_sets` those of their labels and kept
squares, and `training_charts` draws the curves. `history_bodies` has the JSON of all of it.
"""
