"""The classifier stage (`train_classifier`) and the filter stage (`filter_images`): which squares are on target.

labels, squares -> learn -> classifier     `learn` extracts `features` (histograms and `patches`, or a pretrained
                                           `backbone`), fits a `kernel` machine, and without a backbone trains CNNs
classifier, squares -> scores, kept        `calibration` gives probabilities, `threshold` chooses what to keep
                                           and estimates precision, `recall` recall, `advice` what would raise it,
                                           `words` says them, `effect` compares two filters
`evidence` is gathered again from files, and `threshold_table` says what each threshold would do.
`classifier_io` saves, loads and embeds; `scores` reads and writes score files. This file loads no TensorFlow.
"""
