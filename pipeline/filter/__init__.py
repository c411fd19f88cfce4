"""Which pictures show what was asked for: a classifier learnt from the labels, and what it keeps.

Three kinds of features, their scores added: histograms of gradients and colours, a dictionary of patches learnt from
all pictures, and small networks. Loading this module loads no TensorFlow; `kept` and `holdout` need none either.
"""
