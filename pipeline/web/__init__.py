"""The studio: a web server to look, label, run, compare and vote.

server (listens) -> security (host, origin, token, size), connections (limits) -> app -> pages/
`studio` has what all pages share, `dataset_paths` where the folders of a dataset are; `rendering` fills templates,
`http_errors` turns errors into responses, `bodies` has what requests consist of, `glossary` explains words. `uploads`
takes pictures, `settings_process` and `setting_fields` have settings, `definitions` GAN definitions. api/ has the REST
interface, datasets/ datasets as a whole, labelling/ squares and labels, jobs/ the runs that the studio starts.
"""
