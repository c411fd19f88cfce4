"""The network against a plain forward pass in NumPy, at a small size; the published sizes by their names."""

import json
from math import erf, prod

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan.evaluation import dinov2
from pipeline.gan.evaluation.dinov2 import DEVIATION, MEAN, Dinov2, Form
from pipeline.gan.evaluation.features import choose_extractor

SMALL = Form(width=12, layers=2, heads=3, hidden=20, patch=4, grid=3)


def save(path, arrays):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(each.tobytes() for each in arrays.values()))
    return path


def random_weights(form=SMALL):
    rng = np.random.default_rng(0)
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in form.shapes().items()}


def forward(w, pictures, form):
    """The same network in NumPy, one picture at a time, with loops over patches and heads."""

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    found = []
    for picture in (pictures / 255 - MEAN) / DEVIATION:
        patches = [
            np.einsum("ijc,ocij->o", picture[top : top + form.patch, left : left + form.patch],
                      w["embeddings.patch_embeddings.projection.weight"])
            + w["embeddings.patch_embeddings.projection.bias"]
            for top in range(0, len(picture), form.patch)
            for left in range(0, len(picture), form.patch)
        ]  # fmt: skip
        x = np.stack([w["embeddings.cls_token"][0, 0], *patches]) + w["embeddings.position_embeddings"][0]
        for n in range(form.layers):
            layer, each = f"encoder.layer.{n}", form.width // form.heads
            y = norm(x, f"{layer}.norm1")
            q, k, v = (dense(y, f"{layer}.attention.attention.{part}") for part in ("query", "key", "value"))
            heads = []
            for head in range(form.heads):
                part = slice(head * each, (head + 1) * each)
                weights = np.exp(q[:, part] @ k[:, part].T / np.sqrt(each))
                heads.append(weights / weights.sum(1, keepdims=True) @ v[:, part])
            x = (
                x
                + dense(np.concatenate(heads, 1), f"{layer}.attention.output.dense")
                * w[f"{layer}.layer_scale1.lambda1"]
            )
            hidden = dense(norm(x, f"{layer}.norm2"), f"{layer}.mlp.fc1")
            hidden = hidden * (1 + np.vectorize(erf)(hidden / np.sqrt(2))) / 2
            x = x + dense(hidden, f"{layer}.mlp.fc2") * w[f"{layer}.layer_scale2.lambda1"]
        found.append(norm(x[0], "layernorm"))
    return np.stack(found)


def test_network_equals_a_forward_pass_in_numpy(tmp_path):
    weights = random_weights()
    network = Dinov2(save(tmp_path / "model.safetensors", weights), form=SMALL, side=12)
    pictures = np.random.default_rng(1).integers(0, 256, (3, 12, 12, 3)).astype(np.float32)
    assert network(pictures) == pytest.approx(forward(weights, pictures, SMALL), abs=1e-4)


def test_published_form_has_the_published_number_of_weights():
    used = sum(map(prod, Form().shapes().values()))
    assert used + 384 == 22_056_576  # with the mask token, which only its training uses


def test_other_input_sides_have_other_positions(tmp_path):
    path = save(tmp_path / "model.safetensors", random_weights())
    assert Dinov2(path, form=SMALL, side=20)(np.zeros((1, 20, 20, 3), np.float32)).shape == (1, 12)


@pytest.fixture
def small_network(monkeypatch):
    monkeypatch.setattr(dinov2, "Form", lambda: SMALL)
    monkeypatch.setattr(dinov2, "SIDE", 12)


def test_a_file_of_dinov2_is_an_extractor(tmp_path, small_network):
    path = save(tmp_path / "model.safetensors", random_weights())
    extractor = choose_extractor(str(path), None)
    assert extractor.name.startswith("dinov2-vits14-12-")
    assert extractor.pretrained
    pictures = np.random.default_rng(2).integers(0, 256, (9, 16, 16, 1)).astype(np.uint8)
    found = extractor.features(pictures)
    assert found.shape == (9, 12)
    assert found[8:] == pytest.approx(extractor.features(pictures[8:]), abs=1e-6)


@pytest.mark.parametrize("damage", ["text", "missing", "shape", "NaN", "short"])
def test_file_of_something_else_error_is_one_line(tmp_path, small_network, damage):
    weights = random_weights()
    if damage == "missing":
        del weights["layernorm.bias"]
    if damage == "shape":
        weights["layernorm.bias"] = np.zeros(5, np.float32)
    if damage == "NaN":
        weights["layernorm.bias"][3] = np.nan
    path = save(tmp_path / "model.safetensors", weights)
    if damage == "text":
        path.write_text("no weights at all")
    if damage == "short":
        path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UserError, match=r"no weights of DINOv2 ViT-S/14.*model.safetensors") as caught:
        choose_extractor(str(path), None)
    assert "\n" not in str(caught.value)
