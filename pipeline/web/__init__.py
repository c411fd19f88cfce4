"""The studio: a web server to look, label, run, compare and vote.

server (listens) -> security (host, origin, token, size), connections (limits) -> app -> pages/, api/ (REST)
`studio` has what all pages share, `dataset_paths` where the folders of a dataset are. `rendering` fills templates,
`charts` draws; `bodies` has what requests consist of, `mistakes` what is wrong in one,
`http_errors` turns errors into responses, `event_stream` tells pages what changed. datasets/ has datasets as a whole,
labelling/ the squares and labels of one, chain/ its stages, trainings/ its trainings and runs, drawing/ samples drawn
on demand; jobs/ the runs that the studio starts, races/ blind votes, monitoring/ what programs watch.
"""
