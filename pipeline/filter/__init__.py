"""The classifier stage (`train_classifier`) and the filter stage (`filter_images`): which squares are on target.

labels, squares -> learn -> classifier     learn uses features (histograms, `patches`, or a pretrained `backbone`),
                                           a `kernel` machine on them, and without a backbone small CNNs (`cnn`)
classifier, squares -> scores, kept        `calibration` makes scores probabilities, `threshold` chooses what is kept
`classifier_io` saves, loads and embeds; `scores` reads what a filter left. This file loads no TensorFlow.
"""
