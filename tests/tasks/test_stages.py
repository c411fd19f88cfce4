"""Warnings of stages before they run, and how they look up the stages before them."""

import json
from pathlib import Path
from types import SimpleNamespace

from pipeline.store.artifacts import Artifact, ArtifactStore
from tasks.run_pipeline import RunPipeline
from tasks.stages import STAGES


def test_gan_stage_warns_about_ignored_fields_before_training(configure):
    folder = configure("[gan]\ndefinition = foreign\n[normalize]\nsize = 16\n")
    (folder / "models").mkdir()
    tree = {"generator": {"choice": "gan"}, "discriminator": {"choice": "gan"}, "GAN_model": {"epochs": 50}}
    (folder / "models" / "foreign.json").write_text(json.dumps(tree))
    (folder / "models" / "seeing.json").write_text('{"generator": {"attention": [32]}}')

    def warnings(options: str) -> list[str]:
        pipeline = RunPipeline(dataset="demo", options=options)
        (gan,) = (stage for stage in pipeline.stages_until("gan") if stage.stage == "gan")
        return gan.warnings()

    assert "foreign.json: GAN_model.epochs = 50 is not followed: set gan.epochs in luigi.cfg" in warnings("")
    (told,) = warnings("gan.definition=seeing")
    assert told.startswith("seeing.json: generator.attention = [32]: feature maps of 16 px pictures are 8, 4 wide")


def test_stages_are_looked_up_once_each(configure, monkeypatch):
    configure("[download]\nquery = toads\n")
    looked = []

    def find(shelf: ArtifactStore, key: str, *, forced: str) -> Artifact:
        looked.append(shelf.root)
        outputs = dict.fromkeys(("images", "model", "kept", "generator"), key)
        return Artifact(Path(key[:12]), SimpleNamespace(outputs=outputs))

    monkeypatch.setattr(ArtifactStore, "find", find)
    pipeline = RunPipeline(dataset="toads")
    assert pipeline.complete()
    assert len(looked) == len(set(looked)) == len(STAGES)
    assert pipeline.complete()  # another look, at what there is then
    assert len(looked) == 2 * len(STAGES)
