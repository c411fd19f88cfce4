"""Races between trainings, decided by a blind vote.

`race` has what a race consists of and how its rule is checked, `race_store` keeps races on the disk. `candidates` finds
trainings that may enter, `tiles` makes the 10 by 10 tile of an entry, `tile_painter` draws tiles in a thread.
`ballots` records votes, `blind` hides what a voter must not know, `tally` counts, `race_desk` joins them.
"""
