"""Translate a configuration of IBM's gan-toolkit into a definition, with a warning for what cannot be translated.

The translation follows the training of each network choice, not its layers: fully connected networks become
convolutions, and those of the choice cgan, whose layers read the label, become conditional. It adds no augmentation
and no weight average, because such a file asks for none.
Source: the template, the training loop and the networks of https://github.com/IBM/gan-toolkit (folder agant).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from pipeline.errors import UserError
from pipeline.gan.config.json_text import DefinitionError, short_json
from pipeline.option_types import nearest

NETWORKS = ("generator", "discriminator")
TRAINING = "GAN_model"
CHOICES = ("gan", "dcgan", "cgan", "wgan", "wgan_gp")
LOSSES = ("BCE", "MSE", "Mean")
OPTIMIZERS = ("Adam", "RMSprop")

# A missing field has the default of the network's choice; in GAN_model, the default of the generator's choice
ADAM = {"choice": "Adam", "learning_rate": 2e-4, "b1": 0.5, "b2": 0.999}
DEFAULT_OPTIMIZERS = dict.fromkeys(CHOICES, ADAM) | {"wgan": {"choice": "RMSprop", "learning_rate": 5e-5}}
DEFAULT_LOSSES = {"gan": "BCE", "dcgan": "BCE", "cgan": "MSE", "wgan": "Mean", "wgan_gp": "Mean"}
NO_EXTRAS = {"mini_batch_size": 64, "clip_value": -1, "n_critic": -1, "lambda_gp": -1, "w_loss": 0}
DEFAULT_TRAINING: dict[str, dict[str, Any]] = dict.fromkeys(CHOICES, NO_EXTRAS) | {
    "wgan": NO_EXTRAS | {"clip_value": 0.01, "n_critic": 5, "w_loss": 1},
    "wgan_gp": NO_EXTRAS | {"lambda_gp": 10, "n_critic": 5, "w_loss": 1},
}

FOLLOWED = {
    "": {*NETWORKS, TRAINING},
    TRAINING: {*NO_EXTRAS, "seq"},
    "generator": {"choice", "latent_dim", "loss", "optimizer"},
    "discriminator": {"choice", "loss", "optimizer"},
}
SIZE = "the size comes from the pictures; set normalize.size in luigi.cfg"
CHANNELS = "the channels come from the pictures; set normalize.colour in luigi.cfg to grey for 1, rgb for 3"
WEIGHTS = "PyTorch's weights are pickled data, which is never loaded; training starts with new weights"
LABELS = 'only networks of the choice "cgan" know classes; choose it, or make a dataset of the pictures of one class'
CLASSES = "the classes are those of the pictures, as many as they have"
NETWORK_FIELDS = {
    "input_shape": SIZE,
    "channels": CHANNELS,
    "pre_trained_path": WEIGHTS,
    "input": "the input of the networks follows from the pictures",
}
OWN_PICTURES = "the run has its own pictures; set download.sources = folder and download.folder in luigi.cfg"
PICKLED_DATA = (
    "pickled data can run code and is never loaded; save the pictures as files, and set download.sources = folder and"
    " download.folder in luigi.cfg"
)
NOT_FOLLOWED = {
    "": {
        "data_path": OWN_PICTURES,
        "result_path": "sheets go to generated/<dataset>/training, samples to generated/<dataset>/generate",
        "save_model_path": "trained networks go to models/<dataset>/gan",
        "performance_log": "the log goes to data/<dataset>/runs, the scores to the report",
        "metric_evaluate": "the report has the kernel distance (KID), precision and recall",
        "sample_interval": "set gan.sample_every in luigi.cfg, which counts epochs, not batches",
        "cuda": "a GPU is used where there is one; CUDA_VISIBLE_DEVICES in the environment chooses",
    },
    TRAINING: {"epochs": "set gan.epochs in luigi.cfg", "data_label": LABELS, "classes": LABELS},
    "generator": NETWORK_FIELDS,
    "discriminator": NETWORK_FIELDS,
}
LABEL_FIELDS = ("data_label", "classes")
DISABLED, DISABLED_BY_ZERO = -1, LABEL_FIELDS  # -1 disables any field; 0 disables these
PICKLED = {".p", ".pkl", ".pickle", ".pck", ".pt", ".pth", ".joblib"}
OUR_LOSSES = {"BCE": "non_saturating", "MSE": "least_squares", "Mean": "wasserstein"}
FOR_TEXT = "that is for text; ganmill generates pictures only"
RMSPROP_DECAY = 0.99  # PyTorch's default, which the toolkit does not change
# The toolkit's name of each field of a definition, for messages about values out of bounds
TOOLKIT_NAMES = {
    "latent": "generator.latent_dim",
    "batch": f"{TRAINING}.mini_batch_size",
    "balance.discriminator_steps": f"{TRAINING}.n_critic",
    "penalties.clip": f"{TRAINING}.clip_value",
    "penalties.gradient.weight": f"{TRAINING}.lambda_gp",
    **{f"{name}.optimizer.beta_{index}": f"{name}.optimizer.b{index}" for name in NETWORKS for index in (1, 2)},
}


@dataclass
class Translation:
    """A definition as a JSON tree, and a warning for each field that is not followed."""

    tree: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def warn(self, field_name: str, value: Any, why: str) -> None:
        """Add the warning that the field `field_name` is not followed, and why."""
        self.warnings += (not_followed(field_name, value, why),)


def is_toolkit(tree: Any) -> bool:
    """Whether a JSON tree is a gan-toolkit file: it chooses networks by name."""
    networks = [tree.get(name) for name in NETWORKS] if isinstance(tree, dict) else []
    return any(isinstance(network, dict) and "choice" in network for network in networks) or (
        isinstance(tree, dict) and TRAINING in tree
    )


def translate(tree: dict[str, Any]) -> Translation:
    """Translate the gan-toolkit file `tree`. Errors: a `UserError` for a model that cannot be built or a bad value."""
    _refuse(tree)
    translation = Translation(warnings=tuple(ignored(tree)))
    _check_both_know_classes(tree, translation)
    training = DEFAULT_TRAINING[tree["generator"]["choice"]] | section(tree, TRAINING)
    training = {key: number(f"{TRAINING}.{key}", training[key]) for key in DEFAULT_TRAINING["gan"]}
    loss = _loss(tree, training, translation)
    penalties = _penalties(tree, training, translation, wasserstein=loss == "wasserstein")
    translation.tree = {
        "description": "read from a file of IBM's gan-toolkit",
        "latent": number("generator.latent_dim", section(tree, "generator").get("latent_dim", 100)),
        "generator": _generator(tree, translation),
        "discriminator": _discriminator(tree, translation, smooth="gradient" in penalties),
        "loss": loss,
        "penalties": penalties,
        "balance": {"discriminator_steps": max(1, training["n_critic"])},
        "augment": {"policies": [], "flip": "never"},
        "ema": {"half_life": 0},
        "batch": training["mini_batch_size"],
        **({"conditional": True} if _is_conditional(tree) else {}),
    }
    return translation


def section(tree: dict[str, Any], name: str, *, parent: str = "") -> dict[str, Any]:
    """The object in the field `name` of `tree`, without fields that are null; empty if there is none."""
    value = tree.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        field_name = f"{parent}.{name}" if parent else name
        raise _mistake(field_name, value, "expected an object in braces")
    return {key: inner for key, inner in value.items() if inner is not None}


def _mistake(field_name: str, value: Any, why: str) -> DefinitionError:
    """The error about the `value` of a field."""
    return DefinitionError(f"{field_name} = {short_json(value)}: {why}", path=field_name.split("."))


def number(field_name: str, value: Any) -> float:
    """`value`, a number or text of a number, as float, or as int if it is whole."""
    try:
        result = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        result = math.nan
    if not math.isfinite(result):
        raise _mistake(field_name, value, "expected a number")
    return int(result) if result == int(result) else result


def one_of(field_name: str, value: Any, known: tuple[str, ...]) -> str:
    """`value`, which must be one of `known`."""
    if value not in known:
        raise _mistake(field_name, value, f"expected one of {', '.join(known)}")
    return value


def ignored(tree: dict[str, Any]) -> Iterator[str]:
    """A warning for each field of the file that is not followed; it says which setting does the same here."""
    for name in ("", TRAINING, *NETWORKS):
        for key, value in (section(tree, name) if name else tree).items():
            if (
                key in FOLLOWED[name]
                or value is None
                or value == ""
                or (key in NOT_FOLLOWED[name] and _is_disabled(key, value))
            ):
                continue
            if name == TRAINING and key in LABEL_FIELDS and _is_conditional(tree):
                number(f"{name}.{key}", value)
                if key == "classes":
                    yield not_followed(f"{name}.{key}", value, CLASSES)
                continue
            known = {*FOLLOWED[name], *NOT_FOLLOWED[name]}
            why = NOT_FOLLOWED[name].get(key) or f"the gan-toolkit has no such key; {nearest(key, known)}"
            if key == "data_path" and PICKLED & {suffix.lower() for suffix in PurePath(str(value)).suffixes}:
                why = PICKLED_DATA  # a.pkl.gz is pickled too
            yield not_followed(f"{name}.{key}" if name else key, value, why)


def _is_conditional(tree: dict[str, Any]) -> bool:
    """Whether a network knows the class of a picture; then both do."""
    return any(section(tree, name).get("choice") == "cgan" for name in NETWORKS)


def not_followed(field_name: str, value: Any, why: str) -> str:
    """The warning that the field `field_name` has no effect, and why."""
    return f"{field_name} = {short_json(value)} is not followed: {why}"


def _is_disabled(key: str, value: Any) -> bool:
    try:
        setting = number(key, value)
    except UserError:  # not a number, so it asks for something
        return False
    return setting == DISABLED or (setting == 0 and key in DISABLED_BY_ZERO)


def _refuse(tree: dict[str, Any]) -> None:
    """Raise a `UserError` for a model of text, and for one that needs Python code."""
    for name in NETWORKS:
        choice, loss = (section(tree, name).get(key) for key in ("choice", "loss"))
        if choice == "seq_gan" or loss == "NLL":
            key, value = ("choice", choice) if choice == "seq_gan" else ("loss", loss)
            raise _mistake(f"{name}.{key}", value, FOR_TEXT)
        if choice == "custom":
            why = "that is Python code, and a definition has no code; use one of"
            raise _mistake(f"{name}.choice", choice, f"{why} {', '.join(CHOICES)}")
        one_of(f"{name}.choice", choice, CHOICES)
    if section(tree, TRAINING).get("seq") not in (None, 0, "0", -1, "-1"):
        raise _mistake(f"{TRAINING}.seq", tree[TRAINING]["seq"], FOR_TEXT)


def _check_both_know_classes(tree: dict[str, Any], translation: Translation) -> None:
    """Warn if only one of the networks has the choice cgan."""
    for name in NETWORKS:
        if _is_conditional(tree) and (choice := tree[name]["choice"]) != "cgan":
            translation.warnings += (
                f"{name}.choice = {short_json(choice)} is followed with classes: the other network is a cgan, and both"
                " know the class of a picture, or none does",
            )


def _loss(tree: dict[str, Any], training: dict[str, float], translation: Translation) -> str:
    """The loss of both networks: Wasserstein if `w_loss` is 1, else the discriminator's."""
    losses = {}
    for name in NETWORKS:
        default = DEFAULT_LOSSES[tree[name]["choice"]]
        losses[name] = one_of(f"{name}.loss", section(tree, name).get("loss", default), LOSSES)
    chosen = "Mean" if training["w_loss"] == 1 else losses["discriminator"]
    w_loss = section(tree, TRAINING).get("w_loss", DISABLED)
    if number(f"{TRAINING}.w_loss", w_loss) not in (DISABLED, 0, 1):
        translation.warn(f"{TRAINING}.w_loss", w_loss, "the gan-toolkit knows 0 and 1; read as 0")
    elif chosen == "Mean" and number(f"{TRAINING}.w_loss", w_loss) == 0:
        translation.warn(f"{TRAINING}.w_loss", w_loss, 'discriminator.loss is "Mean", which is the Wasserstein loss')
    for name, loss in losses.items():
        if loss != chosen:
            w_loss_decides = f"GAN_model.w_loss is {training['w_loss']:g}"
            why = w_loss_decides if name == "discriminator" else "both networks have one loss here"
            translation.warn(f"{name}.loss", loss, f'{why}; read as "{chosen}"')
    return OUR_LOSSES[chosen]


def _penalties(
    tree: dict[str, Any], training: dict[str, float], translation: Translation, *, wasserstein: bool
) -> dict[str, Any]:
    """The bound on D's slope for the Wasserstein loss, by clipping or by gradient penalty; none for other losses."""
    clip, penalty = training["clip_value"], training["lambda_gp"]
    if not wasserstein:
        for key, value in (("clip_value", clip), ("lambda_gp", penalty)):
            if value > 0:
                why = 'it is for the Wasserstein loss; set discriminator.loss to "Mean"'
                translation.warn(f"{TRAINING}.{key}", value, why)
        return {}
    if penalty <= 0 and clip <= 0:  # the generator's choice sets the defaults, and other choices have no bound
        clip, penalty = (0.01, 0) if tree["discriminator"]["choice"] == "wgan" else (0, 10)
        read_as = f"clip_value = {clip:g}" if clip else f"{penalty:g}"
        why = f"the Wasserstein loss diverges without a bound; read as {read_as}"
        translation.warn(f"{TRAINING}.lambda_gp", training["lambda_gp"], why)
    elif penalty > 0 and clip > 0:
        translation.warn(f"{TRAINING}.clip_value", clip, "the gradient penalty bounds D already")
    return {"gradient": {"weight": penalty}} if penalty > 0 else {"clip": clip}


def _generator(tree: dict[str, Any], translation: Translation) -> dict[str, Any]:
    choice = tree["generator"]["choice"]
    _layers("generator", choice, translation)
    choice_fields = {"width": 128, "max_width": 128, "upsample": "resize"} if choice == "dcgan" else {}
    return {
        "norm": "batch",
        "upsample": "transposed",
        "optimizer": _optimizer("generator", tree, translation),
    } | choice_fields


def _discriminator(tree: dict[str, Any], translation: Translation, *, smooth: bool) -> dict[str, Any]:
    """The discriminator's part; `smooth` means a gradient penalty, which excludes batch norm."""
    choice = tree["discriminator"]["choice"]
    _layers("discriminator", choice, translation)
    choice_fields = {"width": 16, "max_width": 128, "norm": "batch"} if choice == "dcgan" else {"norm": "none"}
    if choice_fields["norm"] == "batch" and smooth:
        translation.warnings += (
            'discriminator.choice = "dcgan" is followed without its batch norm: the gradient penalty is on the slope at'
            " one picture, but batch norm mixes the pictures of a batch",
        )
        choice_fields["norm"] = "none"
    initial = "he" if choice_fields["norm"] == "none" else "dcgan"
    return choice_fields | {"initial": initial, "optimizer": _optimizer("discriminator", tree, translation)}


def _layers(name: str, choice: str, translation: Translation) -> None:
    if choice != "dcgan":
        why = "is followed in its training only: its layers are convolutions here, fully connected in the gan-toolkit"
        translation.warnings += (f"{name}.choice = {short_json(choice)} {why}",)


def _optimizer(name: str, tree: dict[str, Any], translation: Translation) -> dict[str, Any]:
    """The optimizer's part. A b1 or b2 below 0 means the toolkit's default; RMSprop has neither."""
    field_name, specified = f"{name}.optimizer", section(tree[name], "optimizer", parent=name)
    merged = ADAM | DEFAULT_OPTIMIZERS[tree[name]["choice"]] | specified
    choice = one_of(f"{field_name}.choice", merged["choice"], OPTIMIZERS)
    values = {key: number(f"{field_name}.{key}", merged[key]) for key in ("learning_rate", "b1", "b2") if key in merged}
    rate, is_adam = {"learning_rate": values.pop("learning_rate")}, choice == "Adam"
    betas = {key: value if value >= 0 else ADAM[key] for key, value in values.items() if is_adam or value >= 0}
    for key in specified:
        if key not in ADAM:
            why = f"the gan-toolkit has no such key; {nearest(key, ADAM)}"
            translation.warn(f"{field_name}.{key}", specified[key], why)
        elif key in betas and not is_adam:
            translation.warn(f"{field_name}.{key}", specified[key], "RMSprop has none")
    if is_adam:
        return {"name": "adam"} | rate | {f"beta_{key[1]}": value for key, value in betas.items()}
    return {"name": "rmsprop", "beta_2": RMSPROP_DECAY} | rate
