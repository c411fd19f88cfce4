"""The download stage (`download`): crawl sources for pictures and record one row for each requested URL.

sources/, reader      read the pages of a source -> candidates     frontier       each URL once, up to the limit
dispatch              which URLs are next: fair between hosts      rate_limit     a request waits for its host's limit
http_client           request -> Response or RequestFault          storage        the file, named by its SHA-256
outcome, rows         the result of each URL -> images.jsonl       url_archive    the outcomes of all crawls
`crawler` is all this with icrawler's threads (`crawl_threads`). For long lists `worker_lanes` starts worker processes
(`worker_process`), each with icrawler's threads again (`worker_crawler`). `validate` checks the options; `url_list`
reads lists of URLs, `tables` reads tables of others, and `columns` finds what is what in them.
"""
