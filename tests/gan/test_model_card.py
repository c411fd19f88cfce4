import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from pipeline.filter.scores import kept_ids
from pipeline.gan import Dcgan
from pipeline.gan.card_text import Card, StartLineage, render_card
from pipeline.gan.config import definition_digest
from pipeline.gan.config.loading import choose_definition
from pipeline.gan.evaluation.features import FeatureExtractor
from pipeline.gan.model_card import read_lineage
from pipeline.gan.train_gan import train_gan
from pipeline.options import GanOptions
from pipeline.progress import never, silent
from pipeline.store import manifest as manifests
from pipeline.store.jsonl import write_rows
from tests.gan.conftest import OPTIONS, TINY, build_workspace, draw_discs

CC_BY, LABELS = "by 2.0 (https://creativecommons.org/licenses/by/2.0/)", "1a" * 32


def describe(workspace) -> Path:
    """Add manifests and download rows to the folders of `workspace`; returns the download folder."""
    download = workspace.root / "download"
    download.mkdir()
    scores = {"threshold": 0.7, "band": [0.65, 0.75], "expected_precision": 0.96, "expected_recall": 0.33,
              "proof": {"low": 0.9, "high": 0.98, "labels": 31},
              "recall": {"low": 0.25, "high": 0.45, "labels": 80, "missed": 200, "borderline": 30},
              "labelled_on": 30, "labelled_off": 50, "labelled_unsure": 2, "notice": ""}  # fmt: skip
    ids = kept_ids(workspace.inputs["kept"])
    rows = [_row(id, number) for number, id in enumerate(ids[:-1])]  # no row for the last one
    write_rows(download / "images.jsonl", [*rows, _row("f" * 64, 0), {**_row(ids[0], 0), "outcome": "duplicate"}])
    for folder, stage, inputs, options, summary in [
        (download, "download", {}, {"query": ["toad*stool", "きのこ"]}, {}),
        (workspace.inputs["normalize"], "normalize", {}, {"size": 16}, {}),
        (workspace.inputs["kept"], "filter", {"labels": LABELS}, {"method": "cnn"}, scores),
    ]:
        key = stage[0] * 64
        given = {"stage": stage, "version": 1, "dataset": "mush_rooms", "key": key, "inputs": inputs}
        files = manifests.list_files(folder)
        manifests.write(manifests.Manifest(**given, options=options, summary=summary, files=files), folder)
    return download


def _row(id: str, number: int) -> dict:
    """A download row; six of eight pictures are from Openverse."""
    open_one = number % 8 < 6
    return {"id": id, "outcome": "saved", "engine": "openverse" if open_one else "bing",
            "license": CC_BY if open_one else "", "creator": "Ada" if open_one else ""}  # fmt: skip


def train(workspace, *, download: Path | None, folder: str = "gan", **options) -> Path:
    train_gan(
        GanOptions(**OPTIONS | {"epochs": 2} | options),
        definition=workspace.definition,
        **workspace.inputs,
        classifier=None,
        folder=workspace.folder(folder),
        live=None,
        progress=silent,
        should_stop=never,
        download=download,
    )
    return workspace.folder(folder)


def read(folder: Path) -> tuple[str, dict]:
    """The README.md with its lines joined, and card.json."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", text), json.loads((folder / "card.json").read_text(encoding="utf-8"))


def run_alone(code: str, folder: Path) -> str:
    """Run `code` in `folder` without ganmill; returns its output."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", code + "\nimport sys; assert 'pipeline' not in sys.modules"]
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def snippets(folder: Path) -> list[str]:
    return re.findall(r"```python\n(.+?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """The folder of a saved GAN without lineage."""
    folder = tmp_path_factory.mktemp("card") / "saved"
    gan = Dcgan(images := draw_discs(20), TINY, seed=4)
    gan.train(images, epochs=1)
    gan.save(folder)
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """The folder of a trained stage without lineage."""
    return train(build_workspace(tmp_path_factory.mktemp("bare"), draw_discs(40)), download=None)


@pytest.mark.long
def test_card_of_a_stage_has_the_lineage_of_its_pictures(make_workspace):
    workspace = make_workspace()
    text, card = read(train(workspace, download=describe(workspace)))
    origins = card["lineage"]["origins"]
    assert card["pictures"] == {"count": 32, "size": 16, "channels": 3}
    assert origins["sources"] == {"openverse": 24, "bing": 7}
    assert origins["licences"] == {CC_BY: 24, "": 7}
    assert (origins["credited"], origins["unknown"]) == (24, 1)
    assert (card["lineage"]["dataset"], card["lineage"]["labels"]) == ("mush_rooms", LABELS)
    assert "# mush\\_rooms: pictures of 16 x 16 pixels, RGB" in text
    assert "Searched for: toad\\*stool, きのこ." in text
    assert "| by 2.0 (https://creativecommons.org/licenses/by/2.0/) | 24 | | not known | 7 | | no record | 1 |" in text
    assert (
        "trained on labels (30 on target, 50 off target, 2 skipped). It keeps squares with a score of at least 0.750."
        " Of the squares without a label: filter precision about 0.960 (0.900 to 0.980 by 31 labels); filter recall"
        " about 0.330 (0.250 to 0.450 by 80 labels): about 170 on-target squares are rejected, about 30 borderline. The"
        " intervals are 90 % intervals. Label snapshot:"
    ) in text
    assert f"Label snapshot: `{LABELS}`. Stages: download `dddddddddddd`, normalize `nnnnnnnnnnnn`" in text
    assert "Pictures whose licence is not known also have owners" in text


def test_card_has_training_and_scores(bare):
    text, card = read(bare)
    rows = [json.loads(line) for line in (bare / "stats.jsonl").read_text().splitlines()]
    assert card["definition"]["name"] == "tiny"
    assert card["definition"]["digest"] == definition_digest(choose_definition(TINY).definition)
    assert {each["key"]: (each["value"], each["default"]) for each in card["definition"]["differences"]} == {
        "latent": (8, 100), "generator.width": (8, 32), "discriminator.width": (8, 32),
        "generator.optimizer.learning_rate": (2e-4, 1e-3), "discriminator.optimizer.learning_rate": (2e-4, 1e-3),
    }  # fmt: skip
    assert card["training"]["epochs"] == 2
    assert card["training"]["images_seen"] == 64
    assert card["training"]["seed"] == OPTIONS["seed"]
    assert card["training"]["device"]
    assert {"python", "keras", "tensorflow", "numpy", "ganmill"} <= card["versions"].keys()
    assert (card["drawn"]["epoch"], card["drawn"]["extractor"]) == (2, "textures-64")
    assert card["drawn"]["kid"] == rows[-1]["kid"]
    assert f"KID | {rows[-1]['kid']:.4f} ± {rows[-1]['kid_error']:.4f}" in text
    assert f"{100 * rows[-1]['memorised']:.0f} % of its samples were copies" in text
    assert text.count("FID") == text.count("It is not an FID") == 1


@pytest.mark.long
def test_card_names_the_best_epoch_if_it_is_not_the_last(make_workspace, monkeypatch):
    calls = []

    def worse_and_worse(pictures: np.ndarray) -> np.ndarray:
        """Features of the reals as they are, of samples further off at every look."""
        calls.append(len(pictures))
        draw = np.random.default_rng(len(calls))
        return draw.normal(len(calls), 1, (len(pictures), 8)).astype(np.float32)

    extractor = FeatureExtractor(name="eyes-1", features=worse_and_worse, pretrained=True)
    monkeypatch.setattr("pipeline.gan.train_gan.choose_extractor", lambda *_: extractor)
    text, card = read(train(make_workspace(), download=None, sample_every=1))
    assert (card["drawn"]["epoch"], card["last"]["epoch"]) == (1, 2)
    assert card["drawn"]["kid"] < card["last"]["kid"]
    assert "samples/epoch-0001.png" in text
    assert "`generator.keras` is the generator of epoch 1, at which the KID by eyes-1 was lowest." in text


def test_card_says_what_is_not_known(saved, bare):
    text, card = read(saved)
    assert card["lineage"] is None
    assert "Their source and licences are not known: they were given as an array." in text
    assert "Its samples were not scored." in text
    assert "Whether its samples are memorised pictures was not measured." in text
    assert "Definition without a name" in text
    text_of_stage, card = read(bare)
    assert card["lineage"] == {
        "dataset": None,
        "queries": [],
        "origins": None,
        "labels": None,
        "filter": None,
        "keys": {},
        "starts": [],
    }
    assert "Their source and licences are not known." in text_of_stage
    assert "How they were selected is not known." in text_of_stage
    assert "Label snapshot: not known." in text_of_stage
    assert "None" not in text + text_of_stage


def test_card_names_the_trainings_with_whose_networks_it_began(bare, tmp_path):
    """Their pictures and licences count for what the generator has learned, too."""
    begun_with = {"training": "aaaaaaaaaaaa", "dataset": "d_gs", "pictures": 9, "licences": {"": 9}}
    lineage = {"dataset": "cats", "origins": {"licences": {CC_BY: 3, "": 1}}, "starts": [begun_with]}
    start = tmp_path / "bbbbbbbbbbbb"
    start.mkdir()
    (start / "card.json").write_text(json.dumps({"pictures": {"count": 4}, "lineage": lineage}))
    given = {"stage": "gan", "version": 1, "dataset": "cats", "key": "b" * 64, "inputs": {}, "options": {}}
    manifests.write(manifests.Manifest(**given, files=manifests.list_files(start)), start)
    found = read_lineage([], normalize=tmp_path, kept=tmp_path, download=None, start=start / "final.npz")
    licences = {CC_BY: 3, "": 1}
    mine = {"training": "bbbbbbbbbbbb", "dataset": "cats", "pictures": 4, "licences": licences}
    assert [asdict(each) for each in found.starts] == [mine, begun_with]
    card = Card(**json.loads((bare / "card.json").read_text()) | {"lineage": asdict(found)})
    text = " ".join(render_card(card, sheet=None).split())
    assert (
        "Its networks began as those of the training `bbbbbbbbbbbb` of the dataset cats, which had learned from 4"
        " pictures; their licences: by 2.0 (https://creativecommons.org/licenses/by/2.0/) (3), not known (1)."
    ) in text
    assert "These began as those of the training `aaaaaaaaaaaa` of the dataset d\\_gs" in text
    (start / "card.json").write_text("changed")
    unknown = read_lineage([], normalize=tmp_path, kept=tmp_path, download=None, start=start / "final.npz").starts
    assert unknown == (StartLineage(training="bbbbbbbbbbbb"),)


@pytest.mark.long
def test_keras_snippet_of_the_card_runs_without_ganmill(saved):
    code = snippets(saved)[0] + "\nprint(pictures.shape, pictures.dtype, pictures.std() > 0)"
    assert run_alone(code, saved).strip() == "(16, 16, 16, 3) uint8 True"


def test_ganmill_snippet_of_the_card_runs(saved, monkeypatch):
    monkeypatch.chdir(saved)
    exec(snippets(saved)[1], names := {})
    assert names["gan"].epochs == 1


@pytest.mark.long
@pytest.mark.parametrize("minibatch", ["stddev", "none"])
def test_card_says_when_the_discriminator_needs_ganmill(minibatch, tmp_path):
    own = minibatch != "none"
    gan = Dcgan((16, 16, 3), TINY | {"discriminator": {"width": 8, "minibatch": minibatch}})
    gan.save(tmp_path / "saved")
    text, _ = read(tmp_path / "saved")
    assert ("`import pipeline.gan.networks`" in text) is own
    assert ("It also has Keras' own layers only." in text) is not own
    code = "import keras\ntry:\n    keras.models.load_model('discriminator.keras', compile=False); print('fine')\n"
    code += "except TypeError:\n    print('unknown layer')"
    assert run_alone(code, tmp_path / "saved").strip() == ("unknown layer" if own else "fine")


def test_links_of_the_card_exist(make_workspace, saved):
    for folder in (train(make_workspace(), download=None), saved):
        text, _ = read(folder)
        links = re.findall(r"\]\(([^)]+)\)", text)
        assert links
        assert all((folder / link).is_file() for link in links)
    assert "reals.png" not in text  # a saved GAN shows no training pictures


def test_card_has_alarms_and_notes(saved, tmp_path):
    gan = Dcgan.load(saved)
    scores = {"kid": 0.3, "kid_error": 0.1, "extractor": "eyes", "memorised": 0}
    diversity = {3: 0.2, 4: 0.2, 5: 0.9, 6: 0.9}
    gan._training.log.rows[-1] |= {"note": "went back *once*", "d_skipped": 7}
    gan._training.log.rows += [
        gan._training.log.rows[0]
        | scores
        | {"epoch": epoch, "note": "", "d_skipped": 0, "diversity": diversity.get(epoch, 1.0)}
        for epoch in range(1, 7)
    ]
    gan.save(tmp_path / "told")
    text, card = read(tmp_path / "told")
    assert card["training"]["skipped_steps"] == 7
    assert "| steps without the discriminator | 7: its accuracy was above `balance.skip_above` |" in text
    note, plateau = card["notices"]
    assert (note, plateau[:21]) == ("epoch 1: went back *once*", "alarm since epoch 1: ")
    assert "- epoch 1: went back \\*once\\* - alarm since epoch 1: the KID by eyes no longer falls" in text
    assert card["recovered"] == ["recovered at epoch 5: mode collapse, which began at epoch 3"]
    assert "recovered from: - recovered at epoch 5: mode collapse, which began at epoch 3" in text
    assert [(each["kind"], each["start"], each["end"]) for each in card["alarms"]] == [
        ("collapse", 3, 5),
        ("plateau", 1, None),
    ]
