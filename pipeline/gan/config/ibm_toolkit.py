"""Translate a configuration of IBM's gan-toolkit into a definition, and tell what cannot be translated.

Where a choice differs from ours, its training is taken over, not its layers: fully connected networks become
convolutions. Neither augmentation nor an average of weights is added, since such a file asks for none.
Source: the template, the training loop and the networks of https://github.com/IBM/gan-toolkit (folder agant).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from pipeline.errors import UserError
from pipeline.gan.config.json_text import shown
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
DEFAULT_TRAINING: dict[str, dict[str, Any]] = dict.fromkeys(CHOICES, PLAIN) | {
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


PICKLED = {".p", ".pkl", ".pickle", ".pck", ".pt", ".pth", ".joblib"}
OUR_LOSSES = {"BCE": "non_saturating", "MSE": "least_squares", "Mean": "wasserstein"}
RMSPROP_MEMORY = 0.99  # PyTorch's own, which the toolkit leaves as it is
# What the user calls a key whose value turns out to be out of bounds
NAMES = {
    "latent": "generator.latent_dim",
    "batch": f"{TRAINING}.mini_batch_size",
    "balance.discriminator_steps": f"{TRAINING}.n_critic",
    "penalties.clip": f"{TRAINING}.clip_value",
    "penalties.gradient.weight": f"{TRAINING}.lambda_gp",
    **{f"{name}.optimizer.beta_{index}": f"{name}.optimizer.b{index}" for name in NETWORKS for index in (1, 2)},
}


@dataclass
class Translation:
    """A definition of ours as a tree, and a line for each key that was not followed."""

    tree: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def warn(self, place: str, value: Any, why: str) -> None:
        """Say that the key at `place` is not followed, and why."""
        self.warnings += (not_followed(place, value, why),)


def is_toolkit(tree: Any) -> bool:
    """Whether a JSON value is a file of that kind: it chooses networks by name."""
    networks = [tree.get(name) for name in NETWORKS] if isinstance(tree, dict) else []
    return any(isinstance(network, dict) and "choice" in network for network in networks) or (
        isinstance(tree, dict) and TRAINING in tree
    )


def translate(tree: dict[str, Any]) -> Translation:
    """`tree` as one of ours. Errors: a `UserError` for what cannot be done, and for values that make no sense."""
    _refuse(tree)
    found = Translation(warnings=tuple(ignored(tree)))
    training = DEFAULT_TRAINING[tree["generator"]["choice"]] | section(tree, TRAINING)
    training = {key: number(f"{TRAINING}.{key}", training[key]) for key in DEFAULT_TRAINING["gan"]}
    loss = _loss(tree, training, found)
    penalties = _penalties(tree, training, found, wasserstein=loss == "wasserstein")
    found.tree = {
        "description": "read from a file of IBM's gan-toolkit",
        "latent": number("generator.latent_dim", section(tree, "generator").get("latent_dim", 100)),
        "generator": _generator(tree, found),
        "discriminator": _discriminator(tree, found, smooth="gradient" in penalties),
        "loss": loss,
        "penalties": penalties,
        "balance": {"discriminator_steps": max(1, training["n_critic"])},
        "augment": {"policies": []},
        "ema": {"half_life": 0},
        "batch": training["mini_batch_size"],
    }
    return found


def _refuse(tree: dict[str, Any]) -> None:
    """Raise for a model that is none of pictures, or needs code or pickled data."""
    for name in NETWORKS:
        choice, loss = (section(tree, name).get(key) for key in ("choice", "loss"))
        if choice == "seq_gan" or loss == "NLL":
            key, value = ("choice", choice) if choice == "seq_gan" else ("loss", loss)
            raise UserError(f"{name}.{key} = {shown(value)}: that is for text, and only pictures can be drawn here")
        if choice == "custom":
            raise UserError(f'{name}.choice = "custom": that is Python code, and a definition holds none; take one of'
                            f" {', '.join(CHOICES)}")  # fmt: skip
        one_of(f"{name}.choice", choice, CHOICES)
    if section(tree, TRAINING).get("seq") not in (None, 0, "0", -1, "-1"):
        raise UserError(f"{TRAINING}.seq = {shown(tree[TRAINING]['seq'])}: that is for text, and only pictures can be"
                        " drawn here")  # fmt: skip
    if PICKLED & {suffix.lower() for suffix in PurePath(str(tree.get("data_path"))).suffixes}:  # a.pkl.gz is one too
        raise UserError(
            f"data_path = {shown(tree['data_path'])}: pickled data can run code and is never loaded; save the pictures"
            " as files, take the line out, and run with --download-sources folder --download-folder DIR"
        )


def _loss(tree: dict[str, Any], training: dict[str, float], found: Translation) -> str:
    """What both networks play for: Wasserstein's where the training asks for it, else the discriminator's."""
    losses = {}
    for name in NETWORKS:
        default = DEFAULT_LOSSES[tree[name]["choice"]]
        losses[name] = one_of(f"{name}.loss", section(tree, name).get("loss", default), LOSSES)
    taken = "Mean" if training["w_loss"] == 1 else losses["discriminator"]
    asked = section(tree, TRAINING).get("w_loss", OFF)
    if number(f"{TRAINING}.w_loss", asked) not in (OFF, 0, 1):
        found.warn(f"{TRAINING}.w_loss", asked, "the gan-toolkit knows 0 and 1; read as 0")
    elif taken == "Mean" and number(f"{TRAINING}.w_loss", asked) == 0:
        found.warn(f"{TRAINING}.w_loss", asked, 'discriminator.loss is "Mean", which is the Wasserstein loss')
    for name, loss in losses.items():
        if loss != taken:
            why = f"GAN_model.w_loss is {training['w_loss']:g}" if name == "discriminator" else "one loss for both here"
            found.warn(f"{name}.loss", loss, f'{why}; read as "{taken}"')
    return OUR_LOSSES[taken]


def _penalties(
    tree: dict[str, Any], training: dict[str, float], found: Translation, *, wasserstein: bool
) -> dict[str, Any]:
    """What bounds D's slope: one of the two ways, and none where the loss needs none."""
    clip, penalty = training["clip_value"], training["lambda_gp"]
    for key, value in (("clip_value", clip), ("lambda_gp", penalty)):
        if value > 0 and not wasserstein:
            found.warn(f"{TRAINING}.{key}", value, 'it is for the Wasserstein loss; set discriminator.loss to "Mean"')
    if not wasserstein:
        return {}
    if penalty <= 0 and clip <= 0:  # a generator of another kind, which the toolkit lets decide, has none
        clip, penalty = (0.01, 0) if tree["discriminator"]["choice"] == "wgan" else (0, 10)
        read_as = f"clip_value = {clip:g}" if clip else f"{penalty:g}"
        why = f"the Wasserstein loss runs away without a bound; read as {read_as}"
        found.warn(f"{TRAINING}.lambda_gp", training["lambda_gp"], why)
    elif penalty > 0 and clip > 0:
        found.warn(f"{TRAINING}.clip_value", clip, "the gradient penalty does the same work")
    return {"gradient": {"weight": penalty}} if penalty > 0 else {"clip": clip}


def _generator(tree: dict[str, Any], found: Translation) -> dict[str, Any]:
    choice = tree["generator"]["choice"]
    _layers("generator", choice, found)
    own = {"width": 128, "max_width": 128, "upsample": "resize"} if choice == "dcgan" else {}
    return {"norm": "batch", "optimizer": _optimizer("generator", tree, found)} | own


def _discriminator(tree: dict[str, Any], found: Translation, *, smooth: bool) -> dict[str, Any]:
    """`smooth`: its slope is penalised, which does not go with batch norm."""
    choice = tree["discriminator"]["choice"]
    _layers("discriminator", choice, found)
    own = {"width": 16, "max_width": 128, "norm": "batch"} if choice == "dcgan" else {"norm": "none"}
    if own["norm"] == "batch" and smooth:
        found.warnings += ('discriminator.choice = "dcgan" is followed without its batch norm: the gradient penalty is'
                           " on the slope at one picture, and batch norm mixes the pictures of a batch",)  # fmt: skip
        own["norm"] = "none"
    initial = "he" if own["norm"] == "none" else "dcgan"
    return own | {"initial": initial, "optimizer": _optimizer("discriminator", tree, found)}


def _layers(name: str, choice: str, found: Translation) -> None:
    if choice == "cgan":
        found.warn(f"{name}.choice", choice, "there are no classes here; read as a network without labels")
    elif choice != "dcgan":
        why = "is followed in how it trains; its layers are convolutions here, fully connected ones there"
        found.warnings += (f"{name}.choice = {shown(choice)} {why}",)


def _optimizer(name: str, tree: dict[str, Any], found: Translation) -> dict[str, Any]:
    """Ours; b1 and b2 below 0 are the toolkit's own, and those that RMSprop has not are said."""
    place, given = f"{name}.optimizer", section(tree[name], "optimizer", within=name)
    merged = ADAM | DEFAULT_OPTIMIZERS[tree[name]["choice"]] | given
    choice = one_of(f"{place}.choice", merged["choice"], OPTIMIZERS)
    values = {key: number(f"{place}.{key}", merged[key]) for key in ("learning_rate", "b1", "b2") if key in merged}
    rate, adam = {"learning_rate": values.pop("learning_rate")}, choice == "Adam"
    betas = {key: value if value >= 0 else ADAM[key] for key, value in values.items() if adam or value >= 0}
    for key in given:
        if key not in ADAM:
            found.warn(f"{place}.{key}", given[key], f"the gan-toolkit has no such key; {nearest(key, ADAM)}")
        elif key in betas and not adam:
            found.warn(f"{place}.{key}", given[key], "RMSprop has none")
    if adam:
        return {"name": "adam"} | rate | {f"beta_{key[1]}": value for key, value in betas.items()}
    return {"name": "rmsprop", "beta_2": RMSPROP_MEMORY} | rate
