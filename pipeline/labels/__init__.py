"""What people said about the pictures: the label log, its snapshots, and ways in and out."""
