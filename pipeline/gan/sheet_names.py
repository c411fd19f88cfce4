"""The names of sample sheets in the folder of a training, for modules without TensorFlow too."""

SHEETS = "samples"  # the folder of the sheets in that of the training
REALS = "reals.png"  # the sheet of the reals
SCALES = "scales.png"  # the sheet of a multi-scale GAN at all sides


def sheet_name(epoch: int) -> str:
    """The file name of the sample sheet of `epoch`. It does not depend on how many epochs will follow."""
    return f"epoch-{epoch:04d}.png"
