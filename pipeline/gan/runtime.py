"""TensorFlow and Keras as this package uses them. The modules beside this one import them from here.

What TensorFlow reads from the environment is set before it loads; no device is touched until `prepare_devices`.
"""

import os

# On some processors oneDNN is off by default; it makes the convolutions about twice as fast.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import tensorflow as tf

from pipeline.errors import UserError

__all__ = ["keras", "prepare_devices", "tf"]


def prepare_devices() -> None:
    """Let GPUs hand out memory as it is needed, and choose kernels that give the same bits on every run.

    On a CPU the kernels used here are repeatable as they are. Errors: a `UserError` if Keras runs on another backend.
    """
    if keras.backend.backend() != "tensorflow":
        raise UserError(f"KERAS_BACKEND={keras.backend.backend()}: training needs 'tensorflow'; unset the variable")
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if gpus:
        tf.config.experimental.enable_op_determinism()
