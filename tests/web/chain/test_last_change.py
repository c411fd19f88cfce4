"""What is different since the run before."""

import pytest

from pipeline.web.chain.last_change import last_changes
from tests.web import chains, fake_trainings
from tests.web.fake_dataset import FakeDataset


@pytest.fixture
def fake(tmp_path):
    made = FakeDataset(tmp_path)
    chains.trained(made)
    return made


def changes(fake):
    return {change.name: change.value for change in last_changes(fake.paths())}


def generated(fake, *, kid, kid_error=0.01, extractor="textures-64"):
    """Samples of a second run."""
    store = fake.store("generate")
    key = f"{len(store.folders()):064x}"
    summary = {"kid": kid, "kid_error": kid_error, "extractor": extractor}
    work = store.work(key, resume=False)
    fake_trainings._publish(fake, "generate", key, work, {}, {}, summary, {"seed": 0})


def test_the_first_run_has_nothing_to_be_compared_with(fake):
    assert changes(fake) == {}


@pytest.mark.parametrize(
    ("kid", "verdict"), [(0.04, "better by 0.060"), (0.2, "worse by 0.100"), (0.11, "no difference beyond chance")]
)
def test_a_kid_is_compared_by_its_error(fake, kid, verdict):
    generated(fake, kid=kid)
    assert changes(fake)["KID"] == f"0.100 ± 0.010 → {kid:.3f} ± 0.010, by textures-64: {verdict}"


def test_kids_of_two_extractors_are_not_compared(fake):
    generated(fake, kid=0.04, extractor="inception")
    assert changes(fake)["KID"].endswith("by inception; before it was measured with textures-64: not comparable")


def test_a_kid_that_was_not_measured_is_left_out(fake):
    generated(fake, kid=None)
    assert "KID" not in changes(fake)


def test_labels_and_kept_squares_are_counted(fake):
    fake.filter(dict.fromkeys(fake.ids(30), 0.9), kept=30, images=30)
    assert changes(fake)["kept squares"] == "12 → 30"
