"""Samples that the studio draws: `sample_drawer` answers the pages, from `drawn_cache` on the disk or else by asking
the process of `sampler_process`, which alone loads a network library.
"""
