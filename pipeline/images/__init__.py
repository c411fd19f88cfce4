"""Decode, square, hash and de-duplicate pictures, and lay them out on sheets."""
