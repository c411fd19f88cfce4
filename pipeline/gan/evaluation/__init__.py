"""Evaluation: how good samples are, and how a training goes.

`features` computes features of pictures by a network or histograms; `metrics` compares features of samples and reals
(KID, precision, recall, copies); `evaluator` scores samples and the discriminator during a training; `diagnostics`
reads the statistics and raises alarms such as mode collapse.
"""
