"""Work on other processes and machines, carried by dask.distributed: shards of a stage, or a stage as a whole.

`certificates` makes what lets only your machines take part; `client` connects, refuses workers of other versions
(`environment`), and hands out shards; `whole_stage` lets one worker do a stage. Nothing here knows what the work is.
"""
