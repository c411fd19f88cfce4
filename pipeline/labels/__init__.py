"""What people said about the pictures: the label log, its snapshots, ways in and out, and what to label next."""
