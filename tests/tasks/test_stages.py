"""What the stages say of themselves before they run."""

import json

from tasks.run_pipeline import RunPipeline


def test_what_of_a_definition_is_not_followed_is_told_before_the_training(configure):
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
