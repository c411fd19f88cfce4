"""Write a generator as ONNX, by Keras' own export, and check it with onnxruntime against Keras.

Keras traces the generator with TensorFlow, and tf2onnx translates the graph. What both leave to chance is made regular:
names and order of tensors and nodes, and the name of the free dimension; so the same generator gives the same bytes.
"""

import contextlib
import importlib.util
import io
import logging
import tempfile
import warnings
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.devices import keras
from pipeline.errors import UserError
from pipeline.gan.latents import fixed_latents
from pipeline.gan.sampling import draw_samples, to_pixels
from pipeline.text import to_plain_line

PACKAGES = ("onnx", "onnxruntime", "tf2onnx")
LATENT, PICTURE, BATCH = "latent", "picture", "batch"  # input (batch, latent), output (batch, S, S, C) in [-1, 1]
CHECKED, SEEDS = 64, (0, 1)  # latents of each seed that are compared
MAX_REASON = 300  # characters of what another package says
LEVELS = 1  # of 255 by which a sample may differ: sums in another order round otherwise


def check_packages() -> None:
    """Raise a `UserError` unless all that writes and checks ONNX is installed."""
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise UserError(
            f"ONNX needs packages that are not installed: {', '.join(missing)}; `make onnx` installs them, 115 MB, or"
            " `pip install -r requirements-onnx.txt`"
        )


def to_onnx(generator: keras.Model, *, facts: Mapping[str, str]) -> bytes:
    """The ONNX file of `generator`, for batches of any size: latent (B, latent) to picture (B, S, S, C) in [-1, 1].

    `facts` become its metadata. Errors: `UserError` if packages are missing, if the generator has a layer that cannot
    be translated, or if onnxruntime makes other pictures.
    """
    check_packages()
    if keras.backend.backend() != "tensorflow":
        raise UserError("ONNX is written with TensorFlow: unset KERAS_BACKEND; a generator is the same on each backend")
    import onnx

    model = onnx.load_from_string(_translated(generator))
    _make_regular(model)
    for name, value in sorted(facts.items()):
        model.metadata_props.add(key=name, value=value)
    content: bytes = model.SerializeToString(deterministic=True)
    try:
        onnx.checker.check_model(model, full_check=True)
        difference = largest_difference(content, generator)
    except Exception as error:  # both packages have classes of their own, without a common one
        raise UserError(
            "these versions of onnx and onnxruntime cannot read the file, so it was not written:"
            f" {_reason(error)}; `make onnx` installs versions that can"
        ) from error
    if difference > LEVELS:
        raise UserError(
            f"the ONNX file makes samples that differ by {difference} of 255 levels from those of Keras, so it was not"
            " written; another version of tf2onnx may do better"
        )
    return content


def largest_difference(content: bytes, generator: keras.Model) -> int:
    """By how many of 255 levels samples of the ONNX file `content` differ from those of `generator`, at most.

    Compared are the latents of several seeds, as one batch and one by one.
    """
    from onnxruntime import InferenceSession

    session = InferenceSession(content, providers=["CPUExecutionProvider"])
    largest = 0
    for seed in SEEDS:
        latents = fixed_latents(CHECKED, size=generator.input_shape[-1], seed=seed)
        expected = draw_samples(generator, latents).astype(int)
        single = [session.run([PICTURE], {LATENT: latents[at : at + 1]})[0] for at in range(CHECKED)]
        for pictures in (session.run([PICTURE], {LATENT: latents})[0], np.concatenate(single)):
            largest = max(largest, int(np.abs(to_pixels(pictures) - expected).max()))
    return largest


def _translated(generator: keras.Model) -> bytes:
    """The ONNX file that Keras writes of `generator`."""
    signature = [keras.InputSpec(shape=(None, generator.input_shape[-1]), dtype="float32", name=LATENT)]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Keras asks NumPy for names that it has no longer
        path = Path(folder) / "generator.onnx"
        logging.getLogger("tf2onnx").setLevel(logging.ERROR)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                generator.export(str(path), format="onnx", verbose=False, input_signature=signature)
        except Exception as error:  # Keras, TensorFlow and tf2onnx have a class for each reason
            raise UserError(f"this generator cannot be written as ONNX: {_reason(error)}") from error
        return path.read_bytes()


def _reason(error: Exception) -> str:
    """What another package says, in one line."""
    return to_plain_line(" ".join(str(error).split()), MAX_REASON)


def _put_in_order(graph: Any) -> None:
    """Sort the nodes by their depth and by what they compute, and let equal weights be one: tf2onnx does both by names
    that it has counted, and in sets."""
    digests = {each.name: b"latent" for each in graph.input}
    depths: dict[str, int] = {}
    kept: dict[bytes, str] = {}  # name of the weight with each content
    names = {}
    for weight in graph.initializer:
        unnamed = type(weight).FromString(weight.SerializeToString())
        unnamed.name = ""
        digests[weight.name] = content = sha256(unnamed.SerializeToString(deterministic=True)).digest()
        names[weight.name] = kept.setdefault(content, weight.name)
    ordered = []
    for node in graph.node:  # each comes after those that it reads
        node.input[:] = [names.get(name, name) for name in node.input]
        parts = [node.op_type.encode(), *(digests.get(name, b"") for name in node.input)]
        parts += sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute)
        digest = sha256(b"".join(sha256(part).digest() for part in parts)).digest()
        depth = 1 + max((depths.get(name, 0) for name in node.input), default=0)
        digests |= {name: digest + bytes([place]) for place, name in enumerate(node.output)}
        depths |= dict.fromkeys(node.output, depth)
        ordered.append((depth, digest, node.SerializeToString()))
    ordered.sort(key=lambda each: each[:2])
    nodes = [type(graph.node[0]).FromString(content) for *_, content in ordered]
    del graph.node[:]
    graph.node.extend(nodes)


def _make_regular(model: Any) -> None:
    """Rename the tensors, nodes and dimensions of the ONNX `model` by their order, its input and output by meaning."""
    graph = model.graph
    _put_in_order(graph)
    (given,), (made,) = graph.input, graph.output
    names = {given.name: LATENT, made.name: PICTURE, "": ""}  # "": an input that is left out
    weights = {each.name for each in graph.initializer}
    for number, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{number}"
        for place, name in enumerate(node.input):
            node.input[place] = names.setdefault(name, f"{node.name}_{'weight' if name in weights else 'in'}_{place}")
        for place, name in enumerate(node.output):
            node.output[place] = names.setdefault(name, f"{node.name}_out_{place}")
    for each in (given, made):
        each.name = names[each.name]
        each.type.tensor_type.shape.dim[0].dim_param = BATCH
    used = [each for each in graph.initializer if each.name in names]
    for each in used:
        each.name = names[each.name]
    del graph.value_info[:]
    ordered = sorted(used, key=lambda each: str(each.name))
    kept = [type(each).FromString(each.SerializeToString()) for each in ordered]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    graph.name, model.producer_name, model.producer_version = "generator", "ganmill", ""
    graph.doc_string = f"{LATENT} (B, latent), standard normal, to {PICTURE} (B, S, S, channels) in [-1, 1]"
