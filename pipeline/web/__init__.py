"""The studio: a web server to look, label, run, compare and vote.

server (listens) -> security (host, origin, token, size), connections (limits) -> app -> pages/
`studio` has what all pages share, `dataset_paths` where the folders of a dataset are; `rendering` fills templates,
`http_errors` turns errors into responses, `bodies` has what requests consist of, `mistakes` what is wrong in one,
`glossary` explains words, `event_stream` tells pages what changed, `next_step` what a person does next. labelling/ has
the squares and labels of a dataset, chain/ its stages, drawing/ samples drawn on demand, jobs/ the runs that the studio
starts, api/ the REST interface.
"""
