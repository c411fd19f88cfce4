"""Which pictures show what was asked for: a classifier learnt from the labels, and what it keeps.

    train ── marks, holdout      which labels there are; which are kept aside; groups that no fold parts
     └── learn                   from pictures and labels to a classifier, in memory
          ├── views              a picture as the kernel sees it: one of two describers
          │    ├── histograms, patches          features that need nothing but the pictures
          │    └── weights, backbone            features of a pretrained network, if there is one
          ├── kernel             regression on the views, with exact left-out scores
          ├── neighbours         with a backbone: scores carried over to what is near
          ├── network, augment   without one: small networks that learn from the machine ("Noisy Student")
          ├── calibration        scores to probabilities, on left-out scores
          └── gain               what labels have brought, and may bring
    score ── classifier, saved   what every picture is said to be
     ├── share                   how many of the unlabelled are on target, and what that makes of probabilities
     ├── threshold               where the line is drawn, and the band around it
     ├── proof                   intervals, the confusion, suspected labels
     └── kept                    the rows that all else reads
    embed                        pictures as features, to measure samples with

Loading this module loads no TensorFlow; `kept`, `holdout` and `weights` need none either.
"""
