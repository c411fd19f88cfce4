"""Work on other processes and machines, carried by dask.distributed: shards of a stage, or a stage as a whole.

`certificates` makes what lets only your machines take part; `client` connects, refuses workers of other versions
(`environment`), and hands out shards, or a whole stage to one worker; `references` are the artifacts that workers read,
here or in the storage; `log_lines` is how schedulers and workers print. Nothing here knows what the work is.
"""
