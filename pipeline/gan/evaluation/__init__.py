"""Evaluation: how good samples are, and how a training goes.

`features` sees pictures through a network; `metrics` compares features of samples and reals (KID, precision, recall);
`evaluator` does both during a training; `diagnostics` reads the statistics and raises alarms such as mode collapse.
"""
