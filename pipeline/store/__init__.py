"""The artifact store: publish folders atomically, and read files without trusting them.

`artifacts` publishes a folder under its content key and finds it again, `remote_artifacts` in a storage that machines
share (`object_store`, `stored_manifest`, `names`, `picture_shards`, `remote_lock`, `remote_cleanup`). `manifest` and
`digest` describe its content; `atomic` writes a file in one step; `verified` reads a file only if its SHA-256 is the
manifest's; `jsonl` and `row_search` are for JSON lines; `shards` writes many small files into one tar, `tfrecord` for
TensorFlow; `npz`, `hdf5`, `safetensors` and `torch_file` read or write weights within bounds.
"""
