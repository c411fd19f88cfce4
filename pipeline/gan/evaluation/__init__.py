"""Evaluation: how good samples are, and how a training goes.

`features` chooses what computes the features of pictures: a network, or `textures`, which need no weights. `metrics`
compares features of samples and reals (KID, precision, recall, density, coverage, copies). `evaluator` scores samples
and the discriminator during a training. `diagnostics` reads the statistics and raises alarms such as mode collapse.
"""
