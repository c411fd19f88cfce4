"""The download stage (`download`): crawl sources for pictures and record one row for each requested URL.

sources/, reader      read the pages of a source -> candidates     frontier       each URL once, up to the limit
rate_limit            a request waits for its host's rate limit    http_client    request -> Response or RequestFault
storage               the picture file, named by its SHA-256       outcome, rows  the result of each URL -> images.jsonl
`crawler` runs icrawler's threads; `url_archive` stores the outcomes of all crawls; `validate` checks the options.
`url_list` reads lists of URLs; `tables` reads tables of others and `columns` finds what is what in them.
"""
