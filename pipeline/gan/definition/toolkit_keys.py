"""What a file of IBM's gan-toolkit may hold: its keys, its defaults, and which of them nothing here can follow.

Source: the template, the training loop and the networks of https://github.com/IBM/gan-toolkit (folder agant).
"""

import math
from collections.abc import Iterator
from typing import Any

from pipeline.errors import UserError
from pipeline.gan.definition.document import shown
from pipeline.options.option import nearest

NETWORKS = ("generator", "discriminator")
TRAINING = "GAN_model"
CHOICES = ("gan", "dcgan", "cgan", "wgan", "wgan_gp")
LOSSES = ("BCE", "MSE", "Mean")
OPTIMIZERS = ("Adam", "RMSprop")

# Left out, a key has the value that belongs to the choice: the generator's for GAN_model, else the network's own
ADAM = {"choice": "Adam", "learning_rate": 2e-4, "b1": 0.5, "b2": 0.999}
DEFAULT_OPTIMIZERS = dict.fromkeys(CHOICES, ADAM) | {"wgan": {"choice": "RMSprop", "learning_rate": 5e-5}}
DEFAULT_LOSSES = {"gan": "BCE", "dcgan": "BCE", "cgan": "MSE", "wgan": "Mean", "wgan_gp": "Mean"}
PLAIN = {"mini_batch_size": 64, "clip_value": -1, "n_critic": -1, "lambda_gp": -1, "w_loss": 0}
DEFAULT_TRAINING = dict.fromkeys(CHOICES, PLAIN) | {
    "wgan": PLAIN | {"clip_value": 0.01, "n_critic": 5, "w_loss": 1},
    "wgan_gp": PLAIN | {"lambda_gp": 10, "n_critic": 5, "w_loss": 1},
}

FOLLOWED = {
    "": {*NETWORKS, TRAINING},
    TRAINING: {*PLAIN, "seq"},
    "generator": {"choice", "latent_dim", "loss", "optimizer"},
    "discriminator": {"choice", "loss", "optimizer"},
}
SIZE = "the pictures give it; set normalize.size in luigi.cfg"
CHANNELS = "the pictures give it; set normalize.colour in luigi.cfg to grey for 1, rgb for 3"
WEIGHTS = "PyTorch's weights are pickled data, which is never loaded; training begins with fresh ones"
LABELS = "there are no classes here; for one of them, give its pictures a dataset of their own"
OF_NETWORKS = {
    "input_shape": SIZE,
    "channels": CHANNELS,
    "pre_trained_path": WEIGHTS,
    "input": "what goes into the networks follows from the pictures",
}
NOT_FOLLOWED = {
    "": {
        "data_path": "the run gives the pictures; set download.sources = folder and download.folder in luigi.cfg",
        "result_path": "sheets go to generated/<dataset>/training, samples to generated/<dataset>/generate",
        "save_model_path": "trained networks go to models/<dataset>/gan",
        "performance_log": "the log goes to data/<dataset>/runs, figures to the report",
        "metric_evaluate": "the report has kernel distance, precision and recall",
        "sample_interval": "set gan.sample_every in luigi.cfg, which counts epochs, not batches",
        "cuda": "a GPU is used where there is one; CUDA_VISIBLE_DEVICES in the environment chooses",
    },
    TRAINING: {"epochs": "set gan.epochs in luigi.cfg", "data_label": LABELS, "classes": LABELS},
    "generator": OF_NETWORKS,
    "discriminator": OF_NETWORKS,
}
OFF, NONE = -1, ("data_label", "classes")  # -1 turns any key off, and 0 these


def section(tree: dict[str, Any], name: str, *, within: str = "") -> dict[str, Any]:
    """The object called `name`, without keys that are null; empty if there is none."""
    found = tree.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        place = f"{within}.{name}" if within else name
        raise UserError(f"{place} = {shown(found)}: expected an object in braces")
    return {key: value for key, value in found.items() if value is not None}


def number(place: str, value: Any) -> float:
    """The number that `value` is or, in quotes, holds; whole ones as int."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise UserError(f"{place} = {shown(value)}: expected a number")
    return int(found) if found == int(found) else found


def one_of(place: str, value: Any, known: tuple[str, ...]) -> str:
    """`value`, which must be one of `known`."""
    if value not in known:
        raise UserError(f"{place} = {shown(value)}: expected one of {', '.join(known)}")
    return value


def ignored(tree: dict[str, Any]) -> Iterator[str]:
    """A line for each key in the file that says something that is not followed, and what does it here."""
    for name in ("", TRAINING, *NETWORKS):
        for key, value in (section(tree, name) if name else tree).items():
            if (
                key in FOLLOWED[name]
                or value is None
                or value == ""
                or (key in NOT_FOLLOWED[name] and _off(key, value))
            ):
                continue
            known = {*FOLLOWED[name], *NOT_FOLLOWED[name]}
            why = NOT_FOLLOWED[name].get(key) or f"the gan-toolkit has no such key; {nearest(key, known)}"
            yield not_followed(f"{name}.{key}" if name else key, value, why)


def not_followed(place: str, value: Any, why: str) -> str:
    """The line that says why the key at `place` changes nothing."""
    return f"{place} = {shown(value)} is not followed: {why}"


def _off(key: str, value: Any) -> bool:
    try:
        found = number(key, value)
    except UserError:  # whatever it is, it asks for something
        return False
    return found == OFF or (found == 0 and key in NONE)
