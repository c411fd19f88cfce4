"""The artifact store: publish folders atomically, and read files without trusting them.

`artifacts` publishes a folder under its content key and finds it again; `manifest` and `digest` describe its content;
`atomic` writes a file in one step; `verified` reads a file only if its SHA-256 is the manifest's; `jsonl` reads and
writes JSON lines; `shards` writes many small files into one tar and finds them there again, `tfrecord` writes records
for TensorFlow; `npz` and `hdf5` read weights from untrusted files within bounds.

What several machines share: `object_store` reads and writes whole files at any address; `remote_artifacts` publishes
artifacts there, their pictures in `picture_shards`; `stored_manifest` and `names` say what of it may be believed;
`remote_lock` lets one of them work; `remote_cleanup` deletes what is old.
"""
