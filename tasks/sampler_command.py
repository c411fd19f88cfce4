"""The command `python -m tasks sampler`: draw samples for the studio, on the processor, as it is told on its input."""

import os
from argparse import ArgumentParser, Namespace

from pipeline.machine import CPU_ENVIRONMENT


def add_arguments(parser: ArgumentParser) -> None:
    """Let the parser of the command know it; it has no arguments."""
    parser.set_defaults(function=sampler)


def sampler(arguments: Namespace) -> int:
    """Answer questions, JSON lines on standard input, until that is closed; see `pipeline.gan.sampler`."""
    os.environ.update(CPU_ENVIRONMENT)  # a GPU is left to trainings
    from pipeline.gan.sampler import main  # here, as it loads TensorFlow

    return main()
