"""The download stage (`download`): from search words to pictures on disk, with a row for every URL that was requested.

`sources`, `reader`     pages of a source -> candidates           `frontier`         each URL once, up to the limit
`rate_limit`, `robots`  when and whether a host may be asked      `http_client`      one request -> response or fault
`storage`               the picture, under its SHA-256            `outcome`, `rows`  what became of it -> images.jsonl
`crawler` runs the threads (icrawler's); `url_archive` remembers all crawls; `validate` checks what the sources need.
"""
