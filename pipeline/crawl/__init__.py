"""Find pictures and fetch them.

`download.download` is the stage; `inputs.content_inputs` gives the digests of the local content that it reads. The way
of a picture, from left to right:

    sources/  reading   ->  ledger   ->  queues, pace  ->  errand, fetch     ->  raw      ->  outcome  ->  tally
    pages and what      each URL     whose host may    robots, watch,        bytes        what         the rows
    they show           once, up     be asked now      connect, response:    under        became       of the
                        to the                         one request, one      their        of it,       manifest
                        limit                          value                 hash         archived

`crawl` joins them, `crawler` and `workers` are the threads, icrawler's; `archive` is what all crawls of a dataset know.
"""
