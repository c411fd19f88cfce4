"""The studio: a web server to look, label, run, compare and vote.

server (listens) -> security (host, origin, token, size), connections (limits) -> app -> pages/, api/
`studio` has what all pages share, `dataset_paths` where the folders of a dataset are; `rendering` fills templates,
`http_errors` turns errors into responses, `bodies` has what requests consist of, `glossary` explains words. labelling/
has the squares and labels of a dataset, jobs/ the runs that the studio starts.
"""
