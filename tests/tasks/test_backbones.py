import pytest

from pipeline import pretrained
from pipeline.errors import UserError
from pipeline.pretrained import Weights
from tasks import backbones


@pytest.fixture(autouse=True)
def no_cached_weights(tmp_path, monkeypatch, weights_found_anew):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained, "BASE_URL", "http://127.0.0.1:9")  # where nobody answers


def test_describe_weights_says_what_auto_means():
    assert "backbone none (auto: no weights in" in backbones.describe_weights("auto", will_train=True)
    assert backbones.describe_weights("auto", will_train=False) == "backbone none"
    assert backbones.describe_weights("none", will_train=True) == "backbone none"
    assert backbones.describe_weights("MobileNet", will_train=True) == "backbone MobileNet 725ccbd03d61"


def test_auto_backbone_continues_without_a_network(capsys):
    backbones.fetch_classifier_weights("auto")
    assert "continues without pretrained weights" in capsys.readouterr().err


def test_named_weights_that_cannot_be_fetched_raise_an_error():
    with pytest.raises(
        UserError, match=r"classifier\.backbone = MobileNet: .*cannot be fetched.*; or set it to auto, none"
    ):
        backbones.fetch_classifier_weights("MobileNet")


def test_samples_are_measured_by_a_backbone_that_this_run_has_fetched(tmp_path, monkeypatch):
    fetched = Weights(name="MobileNet", path=tmp_path / "mobilenet.h5", digest="ab" * 32)
    cached = []
    monkeypatch.setattr(pretrained, "find_backbone", lambda _: cached[0] if cached else None)
    monkeypatch.setattr(pretrained, "missing_backbones", lambda _: ["MobileNet"])
    monkeypatch.setattr(pretrained, "fetch_backbone", lambda _: cached.append(fetched))
    assert backbones.extractor_weights("own", "auto") is None
    backbones.fetch_classifier_weights("auto")
    assert backbones.extractor_weights("own", "auto") == fetched


def test_backbone_none_or_a_file_fetches_nothing(tmp_path, capsys):
    (tmp_path / "some.h5").write_bytes(b"some")
    backbones.fetch_classifier_weights("none")
    backbones.fetch_classifier_weights(str(tmp_path / "some.h5"))
    assert capsys.readouterr().err == ""
    assert backbones.describe_weights(str(tmp_path / "some.h5"), will_train=True).startswith("backbone some.h5 ")


def test_extractor_weights_are_fetched_before_the_run(tmp_path, capsys):
    (tmp_path / "some.h5").write_bytes(b"some")
    for fetched in ("auto", "own", str(tmp_path / "some.h5")):
        backbones.fetch_extractor_weights("gan", fetched)
    assert capsys.readouterr().err == ""
    with pytest.raises(UserError, match=r"extractor = Inception: .*cannot be fetched.*; or give auto, own"):
        backbones.fetch_extractor_weights("gan", "Inception")
    assert "fetches the weights of Inception" in capsys.readouterr().err
    with pytest.raises(UserError, match="did you mean 'Inception'"):
        backbones.fetch_extractor_weights("gan", "Inceptoin")
