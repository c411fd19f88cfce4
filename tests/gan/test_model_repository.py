"""A finished training as a repository of the Hugging Face Hub."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.card_text import PIPELINE, front_matter
from pipeline.gan.class_names import CLASSES
from pipeline.gan.model_repository import LARGE, NAMES, ONNX, repository_files
from pipeline.gan.sampling import fixed_latents

# The fields that the Hub's page on model cards lists: https://huggingface.co/docs/hub/model-cards
KNOWN_FIELDS = {"license", "license_name", "license_link", "library_name", "pipeline_tag", "tags",
                "datasets", "language", "thumbnail", "metrics", "base_model", "model-index", "inference"}  # fmt: skip


def write(folder: Path, files) -> Path:
    folder.mkdir()
    for file in files:
        (folder / file.name).write_bytes(file.content())
    return folder


@pytest.fixture(scope="module")
def repository(whole_training, tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("hub") / "repository", repository_files(whole_training, layout="keras"))


def parts(folder: Path) -> tuple[dict, str]:
    """The metadata of README.md, read as YAML, and its text."""
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    text = (folder / "README.md").read_text(encoding="utf-8")
    found = re.match(r"---\n(.+?)\n---\n(.+)", text, re.DOTALL)
    assert found
    return yaml.safe_load(found[1]), found[2]


def test_a_repository_has_these_files(repository, whole_training):
    found = {path.name for path in repository.iterdir()}
    assert found == set(NAMES) - {ONNX, CLASSES}  # this one has no classes
    for name in ("generator.keras", "discriminator.keras", "card.json", "definition.json"):
        assert (repository / name).read_bytes() == (whole_training / name).read_bytes()
    assert (repository / "samples.png").read_bytes() == (whole_training / "samples" / "epoch-0004.png").read_bytes()


def test_metadata_is_what_the_hub_takes(repository):
    found, _ = parts(repository)
    assert found.keys() <= KNOWN_FIELDS
    assert (found["library_name"], found["pipeline_tag"]) == ("keras", PIPELINE)
    assert found["license"] == "other"
    assert "license_link" not in found  # the Hub takes LICENSE, LICENSE.md or an address: only the publisher has one
    assert re.fullmatch(r"[a-z0-9.-]+", found["license_name"])
    assert all(re.fullmatch(r"[a-z0-9-]+", tag) for tag in found["tags"])
    assert "datasets" not in found  # that of a GAN is not on the Hub


def test_the_hub_s_own_library_reads_the_metadata(repository):
    hub = pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")
    card = hub.ModelCard.load(repository / "README.md")
    assert isinstance(card.data, hub.ModelCardData)
    data = card.data.to_dict()
    assert (data["license"], data["pipeline_tag"], data["library_name"]) == ("other", PIPELINE, "keras")
    assert {"gan", "ganmill"} <= set(data["tags"])
    known = {**vars(hub.ModelCardData())}
    assert data.keys() <= known.keys()


def test_links_of_the_card_exist_and_no_training_picture_is_shown(repository):
    _, text = parts(repository)
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links == ["samples.png"]
    assert "reals" not in text
    assert "best.npz" not in text
    assert "## Licence" in text


@pytest.mark.long
def test_keras_alone_loads_it_as_the_card_says(repository):
    _, text = parts(repository)
    code = re.findall(r"```python\n(.+?)```", text, re.DOTALL)
    assert len(code) == 1  # not the one that needs ganmill
    script = code[0] + "\nimport sys; assert 'pipeline' not in sys.modules; print(pictures.shape, pictures.dtype)"
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=True, timeout=300
    )
    assert found.stdout.strip() == "(16, 16, 16, 3) uint8"


def test_keras_reads_the_repository_as_it_reads_one_of_the_hub(repository):
    """`load_model("hf://...")` downloads a repository, and reads its folder like this."""
    whole, packed = (keras.saving.load_model(path) for path in (repository, repository / "generator.keras"))
    latents = fixed_latents(4, size=8, seed=0)
    assert np.array_equal(np.asarray(whole(latents)), np.asarray(packed(latents)))


def test_git_keeps_every_binary_file_in_lfs(repository):
    lines = (repository / ".gitattributes").read_text().splitlines()
    assert [line.split()[0] for line in lines] == [*LARGE]
    assert all(line.endswith(" filter=lfs diff=lfs merge=lfs -text") for line in lines)
    texts = {".gitattributes", "README.md"}
    others = [path for path in repository.iterdir() if path.name not in texts and path.suffix != ".json"]
    assert {f"*{path.suffix}" for path in others} <= {*LARGE}


def test_as_onnx_it_has_the_generator_and_a_card_of_its_own(whole_training, tmp_path):
    folder = write(tmp_path / "onnx", repository_files(whole_training, layout="onnx", made={ONNX: b"network"}))
    assert {path.name for path in folder.iterdir()} == {
        ".gitattributes", "README.md", "card.json", "definition.json", "generator.onnx", "samples.png",
    }  # fmt: skip
    found, text = parts(folder)
    assert "onnx" in found["tags"]
    assert "library_name" not in found
    assert "onnxruntime.InferenceSession" in text
    assert "keras.models" not in text


def test_an_early_card_is_taken_over_with_new_metadata(whole_training, tmp_path):
    early = tmp_path / "early"
    early.mkdir()
    (early / "README.md").write_text("---\nlibrary_name: keras\n---\n\n# cats\n", encoding="utf-8")
    (early / "card.json").write_text(json.dumps({"made": "2026"}))
    with zipfile.ZipFile(early / "generator.keras", "w") as packed:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            packed.writestr(name, name)
    files = {file.name: file.content() for file in repository_files(early, layout="keras")}
    assert files["README.md"].decode() == f"{front_matter('keras')}\n\n# cats\n"
    assert files["model.weights.h5"] == b"model.weights.h5"
    assert "samples.png" not in files
