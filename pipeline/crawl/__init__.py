"""Find pictures and fetch them: sources, robots.txt, connections, the raw store and the archive of addresses.

`download.download` is the stage; `inputs.content_inputs` gives the digests of the local content that it reads.
"""
