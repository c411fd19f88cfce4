import pytest

from pipeline import pretrained
from pipeline.errors import UserError
from tasks import backbones


@pytest.fixture(autouse=True)
def nothing_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained, "BASE_URL", "http://127.0.0.1:9")  # where nobody answers
    backbones.chosen.cache_clear()
    yield
    backbones.chosen.cache_clear()


def test_the_plan_says_what_auto_comes_to_and_that_a_run_may_fetch():
    assert "backbone none (auto: no weights in" in backbones.remark("auto", again=True)
    assert backbones.remark("auto", again=False) == "backbone none"
    assert backbones.remark("none", again=True) == "backbone none"
    assert backbones.remark("MobileNet", again=True) == "backbone MobileNet 725ccbd03d61"


def test_auto_goes_on_without_a_network_and_says_so(capsys):
    backbones.bring("auto")
    assert "goes on without pretrained weights" in capsys.readouterr().err


def test_weights_that_were_named_must_be_had():
    with pytest.raises(UserError, match=r"classifier\.backbone = MobileNet: .*cannot be fetched.*; or give auto, none"):
        backbones.bring("MobileNet")


def test_none_and_a_file_fetch_nothing(tmp_path, capsys):
    (tmp_path / "some.h5").write_bytes(b"some")
    backbones.bring("none")
    backbones.bring(str(tmp_path / "some.h5"))
    assert capsys.readouterr().err == ""
    assert backbones.remark(str(tmp_path / "some.h5"), again=True).startswith("backbone some.h5 ")


def test_what_is_measured_with_must_be_had_before_the_run(tmp_path, capsys):
    (tmp_path / "some.h5").write_bytes(b"some")
    for fetched in ("auto", "own", str(tmp_path / "some.h5")):
        backbones.bring_to_measure("gan", fetched)
    assert capsys.readouterr().err == ""
    with pytest.raises(UserError, match=r"extractor = Inception: .*cannot be fetched.*; or give auto, own"):
        backbones.bring_to_measure("gan", "Inception")
    assert "fetches the weights of Inception" in capsys.readouterr().err
    with pytest.raises(UserError, match="did you mean 'Inception'"):
        backbones.bring_to_measure("gan", "Inceptoin")
