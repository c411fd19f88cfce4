"""Learning rates that drop at a plateau of the KID."""

import pytest

from pipeline.errors import DamagedState, Stopped, UserError
from pipeline.gan.training.null_observer import NullObserver
from pipeline.gan.training.plateau_drops import check_drops, drop_fields, plateau_scales
from pipeline.progress import TellingProgress, never, silent
from tests.gan.fake_steps import STEPS, arrays, make_trainer, rows, run
from tests.gan.step_runner import define
from tests.long_values import and_long

EPOCHS = 16


def drops(*, factor: float = 0.5, plateaus: int = 1) -> dict:
    """An optimizer whose learning rate drops at plateaus."""
    return {"optimizer": {"schedule": {"kind": "drop", "factor": factor, "plateaus": plateaus}}}


BOTH = {"generator": drops(factor=0.2), "discriminator": drops(plateaus=2)}


class ScoringObserver(NullObserver):
    """The KID falls until epoch 3, and again at epoch 9 and never after that."""

    evaluator = object()  # samples are scored

    def evaluate(self, row, draw, *, latents, seed, classes):
        kid = max(1.0 - row["epoch"] / 10, 0.7) - (0.2 if row["epoch"] >= 9 else 0.0)
        return {"kid": kid, "kid_error": 0.01, "extractor": "eyes"}


def trainer(folder, *, tree=BOTH, **more):
    return make_trainer(folder, observer=ScoringObserver(), tree=tree, epochs=EPOCHS, **more)


def test_rates_drop_after_the_epoch_in_which_the_plateau_is_certain(tmp_path, fake_steps):
    run(trainer(tmp_path / "a"))
    lines = rows(tmp_path / "a")
    # Certain at epochs 6 and 13, three and four scores after the falls at epochs 3 and 9
    assert [line["plateau_drops"] for line in lines] == [0] * 5 + [1] * 7 + [2] * 4
    assert [line["g_rate"] / lines[0]["g_rate"] for line in lines] == pytest.approx([1] * 6 + [0.2] * 10)
    assert [line["d_rate"] / lines[0]["d_rate"] for line in lines] == pytest.approx([1] * 6 + [0.5] * 7 + [0.25] * 3)
    used = [rate / fake_steps.rates[0] for rate in fake_steps.rates]  # by the steps themselves
    assert used == pytest.approx([1] * 6 * STEPS + [0.2] * 10 * STEPS)
    notes = {line["epoch"]: line["note"] for line in lines if "note" in line}
    assert notes == {
        6: "a plateau since epoch 3: the generator's learning rate is multiplied by 0.2"
        " and the discriminator's learning rate is multiplied by 0.5",
        13: "a plateau since epoch 9: the discriminator's learning rate is multiplied by 0.5",
    }
    assert not any("alarms" in line for line in lines)  # a plateau that a drop answers is no alarm


def test_plateau_after_the_last_drop_is_an_alarm(tmp_path, fake_steps):
    told = []
    training = trainer(tmp_path / "a", tree={"generator": drops()})
    training.run(TellingProgress(silent, told.append), never)
    training.log.close()
    assert [line.partition(":")[0] for line in told] == ["epoch 6", "alarm since epoch 9"]


@pytest.mark.parametrize("step", and_long([6 * STEPS + 1], long=[5 * STEPS + 1, 6 * STEPS, 7 * STEPS, 13 * STEPS]))
@pytest.mark.parametrize("checkpoint_every", [1, 4])
def test_stopped_and_resumed_training_is_bit_identical(tmp_path, fake_steps, step, checkpoint_every):
    whole = run(trainer(tmp_path / "whole"))
    fake_steps.done = 0
    with pytest.raises(Stopped):
        run(trainer(tmp_path / "a", checkpoint_every=checkpoint_every), should_stop=lambda: fake_steps.done == step)
    again = run(trainer(tmp_path / "a", checkpoint_every=checkpoint_every))
    mine, theirs = arrays(again), arrays(whole)
    assert [name for name in mine if (mine[name] != theirs[name]).any()] == []
    assert rows(tmp_path / "a") == rows(tmp_path / "whole")


def test_killed_and_resumed_training_is_bit_identical(tmp_path, fake_steps, monkeypatch):
    """A kill after the row of the drop and before its checkpoint: the epoch comes again."""
    whole = run(trainer(tmp_path / "whole", checkpoint_every=4))
    killed = trainer(tmp_path / "a", checkpoint_every=4)
    append = killed.log.append

    def append_and_die(row):
        append(row)
        if row["epoch"] == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(killed.log, "append", append_and_die)
    with pytest.raises(KeyboardInterrupt):
        run(killed)
    resumed = trainer(tmp_path / "a", checkpoint_every=4)
    assert (resumed.epoch, resumed.rate_scales) == (4, (1.0, 1.0))
    mine, theirs = arrays(run(resumed)), arrays(whole)
    assert [name for name in mine if (mine[name] != theirs[name]).any()] == []
    assert rows(tmp_path / "a") == rows(tmp_path / "whole")


def test_roll_back_undoes_a_drop_after_the_checkpoint(tmp_path, fake_steps):
    fake_steps.nan_losses = (6 * STEPS + 1,)
    run(trainer(tmp_path / "a", checkpoint_every=4))
    lines = rows(tmp_path / "a")
    assert lines[-1]["epoch"] == EPOCHS
    assert [line["plateau_drops"] for line in lines] == [0] * 5 + [1] * 7 + [2] * 4
    assert lines[-1]["g_rate"] / lines[0]["g_rate"] == pytest.approx(0.5 * 0.2)


def test_training_without_scores_is_refused_and_says_what_to_do(tmp_path, fake_steps):
    with pytest.raises(UserError, match=r"generator\.optimizer\.schedule: .* scores no samples: .*watch=True, or name"):
        run(make_trainer(tmp_path / "a", tree={"generator": drops()}))
    assert fake_steps.done == 0
    at = {"optimizer": {"schedule": {"kind": "drop", "at": [8 * STEPS]}}}
    run(make_trainer(tmp_path / "b", tree={"generator": at}, epochs=2))  # needs no scores
    assert [line["g_rate"] for line in rows(tmp_path / "b")] == pytest.approx([1e-3, 1e-4])


def test_lost_rows_are_refused_as_the_rate_depends_on_them(tmp_path, fake_steps):
    with pytest.raises(Stopped):
        run(trainer(tmp_path / "a"), should_stop=lambda: fake_steps.done == 8 * STEPS)
    (tmp_path / "a" / "stats.jsonl").write_text("")
    with pytest.raises(DamagedState, match=r"stats\.jsonl has 0 of 8 epochs.*move the folder"):
        run(trainer(tmp_path / "a"))


def test_other_definitions_have_no_drops():
    definition = define()
    assert drop_fields(definition, [], {"epoch": 1, "kid": 0.1}) == {}
    assert plateau_scales(definition, [{"epoch": 1, "plateau_drops": 3}]) == (1.0, 1.0)
    check_drops(definition, [], epochs_done=7, scored=False)
