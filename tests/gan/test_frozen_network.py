"""Which network scores the samples of a vision-aided GAN."""

import pytest

from pipeline import pretrained
from pipeline.errors import UserError
from pipeline.gan.config import Definition, parse_definition
from pipeline.gan.frozen_network import scoring_extractor

PLAIN, AIDED = Definition(), parse_definition('{"discriminator": {"vision_aided": true}}', "aided")


@pytest.mark.parametrize(
    ("given", "plain", "aided"),
    [
        ("auto", "auto", "own"),
        ("own", "own", "own"),
        ("MobileNet", "MobileNet", "MobileNet"),
        ("no.h5", "no.h5", "no.h5"),
    ],
)
def test_a_vision_aided_gan_is_not_scored_by_the_network_it_learns_with(given, plain, aided):
    assert scoring_extractor(given, PLAIN) == plain
    assert scoring_extractor(given, AIDED) == aided


def test_the_weights_it_learns_with_are_refused_for_its_scores(tmp_path, monkeypatch):
    file = tmp_path / "copy.pth"
    file.write_bytes(b"weights")
    assert scoring_extractor(str(file), AIDED) == str(file)
    monkeypatch.setattr(pretrained, "SHIPPED_SHA256", pretrained.of_file(file))
    assert scoring_extractor(str(file), PLAIN) == str(file)
    with pytest.raises(
        UserError, match="learns with these weights, so scores by them say little; give auto, MobileNet"
    ):
        scoring_extractor(str(file), AIDED)
