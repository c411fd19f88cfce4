"""Tests of pipeline/style."""
