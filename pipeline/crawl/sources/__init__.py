"""Sources of pictures: bing, baidu, google, openverse, a web site, a list of URLs, a folder, the demo.

`base` is their interface: the first page, how to read a page, how to fetch what it names. `registry` makes those that
the setting download.sources names.
"""
