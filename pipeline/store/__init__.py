"""Keys, manifests, atomic publishing, lineage, garbage collection: where results live and how they are trusted."""
