"""Runs that the studio starts: they are queued as jobs, and each is a process that outlives the server.

`job` is one job, `job_store` keeps them on disk, `job_queue` is what pages use. `job_runner` starts them when `lanes`
says that it is their turn, one training for each of the `gpus`, and `job_following` looks what became of them.
`submission` and `job_checks` check what is sent, `job_view` is a job as JSON, `job_training` what its training made,
`job_files` what can be fetched.
`background_run` is the process of one dataset, whoever started it, and `run_status` how it stands by its record.
"""
