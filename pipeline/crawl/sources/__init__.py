"""Sources of pictures: bing, baidu, google, openverse, a web site, a list of URLs, a folder, folders and shards with
metadata (`imagefolder`, `webdataset`), the demo.

`base` defines their interface: the first page, how to read a page, how to fetch a picture. `registry` creates the
sources that the option `sources` names.
"""
