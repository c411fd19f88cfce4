"""The store: artifacts on disk, and reading them without trusting them.

`artifacts` publishes a folder atomically under its content key and finds it again; `manifest` and `digest` say what
is in it; `atomic` writes a file in one step; `verified` reads a file only if its SHA-256 is the manifest's; `jsonl`
reads and writes JSON lines; `npz` and `hdf5` read weights of others within bounds.
"""
