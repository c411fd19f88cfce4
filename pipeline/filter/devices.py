"""How TensorFlow uses the devices of this process."""

import keras


def prepare_devices() -> None:
    """Let GPUs hand out memory as it is needed, and choose kernels that give the same bits on every run.

    On a CPU those used here do so anyway. On Keras' other backends there is nothing to prepare.
    """
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow

    gpus = tensorflow.config.list_physical_devices("GPU")
    for gpu in gpus:
        tensorflow.config.experimental.set_memory_growth(gpu, True)
    if gpus:
        tensorflow.config.experimental.enable_op_determinism()
