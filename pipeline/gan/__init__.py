"""The generator: its definition, networks, training, samples and scores. This file stays free of TensorFlow."""
