"""Where pictures come from: each source knows its first page, how to read a page, and how to fetch what it names."""
