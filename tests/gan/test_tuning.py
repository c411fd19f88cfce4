"""How a training computes is measured once, kept for the user, and written into its checkpoint."""

import json
import math

import numpy as np
import pytest

from pipeline import devices
from pipeline.devices import AS_IT_LIKES, BFLOAT16, ComputeMode, Threads
from pipeline.gan import dcgan, train_gan, tuning
from pipeline.gan.config.__init__ import parse_definition
from pipeline.gan.training.saved import recorded_compute_mode
from pipeline.gan.tuning import choose_compute_mode, usual_compute_mode
from pipeline.images.dataset import ImageSet
from pipeline.options import GanOptions
from pipeline.progress import never, silent

SIDE_BY_SIDE = Threads(within=1, between=2)
STEPS = 10**9  # of a training that is worth any measurement


class Machine:
    """A machine on which each way takes as long as a test says; counts how often it was measured."""

    def __init__(self, seconds: dict[tuple[str, Threads], float]) -> None:
        self.seconds = seconds
        self.measured = 0

    def in_turn(self, ways, definition, **_):
        self.measured += 1
        found = [self.seconds[way.precision, way.threads] for way in ways]
        return None if found[0] == math.inf else [[each] * 5 for each in found]


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Makes this machine one of two cores with bfloat16, on which ways take such seconds."""

    def make(seconds, *, flags=True, cores=2):
        made = Machine(seconds)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.delenv("GANMILL_MEASURE", raising=False)
        monkeypatch.setattr(tuning, "has_bfloat16", lambda: flags)
        monkeypatch.setattr(tuning, "has_gpu", lambda: False)
        monkeypatch.setattr(tuning, "tensorflow_has_started", lambda: False)
        monkeypatch.setattr(tuning, "is_busy", lambda: False)
        for module in (tuning, devices):
            monkeypatch.setattr(module, "usable_cores", lambda: cores)
        monkeypatch.setattr(tuning, "_in_turn", made.in_turn)
        return made

    return make


def define(**keys):
    return parse_definition(json.dumps(keys), "a test")


def chosen(**keys) -> ComputeMode:
    return choose_compute_mode(define(**keys), size=32, channels=3, steps=STEPS)


def seconds(*, float32=1.0, bfloat16=1.0, float32_other=1.0, bfloat16_other=1.0):
    return {
        ("float32", SIDE_BY_SIDE): float32,
        ("bfloat16", SIDE_BY_SIDE): bfloat16,
        ("float32", AS_IT_LIKES): float32_other,
        ("bfloat16", AS_IT_LIKES): bfloat16_other,
    }


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (seconds(bfloat16=1.4), ComputeMode(threads=SIDE_BY_SIDE)),
        (seconds(bfloat16=0.95), ComputeMode(threads=SIDE_BY_SIDE)),  # less than a tenth faster
        (seconds(bfloat16=0.6), ComputeMode(dtype=BFLOAT16, threads=SIDE_BY_SIDE)),
        (seconds(float32_other=0.7), ComputeMode(threads=AS_IT_LIKES)),
        (seconds(bfloat16=0.6, bfloat16_other=0.5), ComputeMode(dtype=BFLOAT16, threads=AS_IT_LIKES)),
        (seconds(bfloat16=math.inf), ComputeMode(threads=SIDE_BY_SIDE)),  # one that cannot be done
    ],
)
def test_another_way_than_the_usual_must_be_a_tenth_faster(machine, taken, expected):
    machine(taken)
    assert chosen() == expected


def test_it_is_measured_once_for_a_shape_and_kept_for_the_user(machine, tmp_path):
    made = machine(seconds(bfloat16=0.6))
    assert [chosen() for _ in range(3)] == [ComputeMode(dtype=BFLOAT16, threads=SIDE_BY_SIDE)] * 3
    assert made.measured == 2  # precision, then threads
    chosen(generator={"optimizer": {"learning_rate": 0.01}}, description="another rate, as much work")
    assert made.measured == 2
    chosen(batch=20)
    assert made.measured == 4
    assert len(json.loads((tmp_path / "ganmill" / "ways.json").read_text())) == 2


@pytest.mark.parametrize("damage", [b"", b"[1, 2]", b"\xff", b"[" * 10_000, b'{"x": 1}', None])
def test_a_damaged_file_of_measurements_is_measured_anew(machine, tmp_path, damage):
    made = machine(seconds(bfloat16=0.6))
    first, path = chosen(), tmp_path / "ganmill" / "ways.json"
    known = json.loads(path.read_text())
    path.write_bytes(
        damage if damage is not None else json.dumps({name: ["float8", -1, "x"] for name in known}).encode()
    )
    assert chosen() == first
    assert made.measured == 4


def test_a_home_that_cannot_be_written_to_costs_nothing_else(machine, tmp_path):
    machine(seconds(bfloat16=0.6))
    (tmp_path / "ganmill").write_text("a file where a folder is needed")
    assert chosen().precision == "bfloat16"


def test_a_failed_or_stopped_measurement_is_not_kept(machine, tmp_path):
    machine(seconds(float32=math.inf))
    assert chosen() == usual_compute_mode(define(), size=32)
    assert not (tmp_path / "ganmill" / "ways.json").exists()


def test_nothing_is_measured_where_there_is_nothing_to_choose_or_to_gain(machine, monkeypatch):
    made = machine(seconds(), flags=False, cores=1)
    assert chosen() == ComputeMode()
    made = machine(seconds())
    assert choose_compute_mode(define(), size=32, channels=3, steps=10) == usual_compute_mode(define(), size=32)
    monkeypatch.setenv("GANMILL_MEASURE", "0")
    chosen()
    assert made.measured == 0


def test_nothing_is_measured_on_a_machine_that_others_keep_busy(machine, monkeypatch, tmp_path):
    made = machine(seconds(bfloat16=0.6))
    monkeypatch.setattr(tuning, "is_busy", lambda: True)
    assert chosen() == usual_compute_mode(define(), size=32)
    assert made.measured == 0
    assert not (tmp_path / "ganmill").exists()


@pytest.mark.parametrize(
    ("rival", "faster"),
    [([0.8] * 7, True), ([0.95] * 7, False), ([0.5] * 6 + [9], True), ([0.5] * 5 + [9] * 2, False)],
)
def test_a_way_is_faster_if_nearly_every_turn_says_so(rival, faster):
    assert tuning._is_faster([1.0] * 7, rival) == faster


def test_a_precision_that_is_named_is_taken(machine):
    machine(seconds(float32=0.1))
    assert chosen(precision="bfloat16").precision == "bfloat16"
    machine(seconds(bfloat16=0.1))
    assert chosen(precision="float32").precision == "float32"


@pytest.mark.slow
def test_the_steps_of_each_way_are_really_timed(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tiny = define(batch=16, generator={"width": 4}, discriminator={"width": 4})
    ways = [ComputeMode(), ComputeMode(dtype=BFLOAT16)]
    found = tuning._in_turn(ways, tiny, size=16, channels=3, should_stop=lambda: False)
    assert len(found) == 2
    assert all(0 < each < 60 for turns in found for each in turns)
    assert tuning._in_turn(ways, tiny, size=16, channels=3, should_stop=lambda: True) is None


def test_the_work_of_a_step_grows_with_what_it_computes():
    small = tuning.work(define(), size=32, channels=3)
    assert tuning.work(define(batch=32), size=32, channels=3) == pytest.approx(2 * small)
    assert tuning.work(define(), size=64, channels=3) > 3 * small


def test_a_checkpoint_decides_how_its_training_goes_on(monkeypatch, tmp_path):
    way = ComputeMode(dtype=BFLOAT16)  # no threads: TensorFlow would keep them for the tests after this one
    monkeypatch.setattr(dcgan, "choose_compute_mode", lambda *_, **__: way)
    tiny = {"generator": {"width": 4}, "discriminator": {"width": 4}}
    gan = dcgan.Dcgan((16, 16, 3), tiny)
    gan.save(tmp_path / "gan")
    assert recorded_compute_mode(tmp_path / "gan") == way
    monkeypatch.setattr(dcgan, "choose_compute_mode", lambda *_, **__: pytest.fail("the checkpoint says it"))
    again = dcgan.Dcgan.load(tmp_path / "gan")
    again.save(tmp_path / "again")
    assert recorded_compute_mode(tmp_path / "again") == way
    assert recorded_compute_mode(tmp_path / "nothing") is None


def test_the_stage_goes_on_as_its_checkpoint_says(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        train_gan, "recorded_compute_mode", lambda folder: asked.append(folder) or ComputeMode(dtype=BFLOAT16)
    )
    monkeypatch.setattr(train_gan, "choose_compute_mode", lambda *_, **__: pytest.fail("the checkpoint says it"))
    monkeypatch.setattr(train_gan, "prepare_devices", lambda threads: (_ for _ in ()).throw(Reached(threads)))
    monkeypatch.setattr(train_gan, "kept_ids", lambda kept: ["a"] * 16)
    monkeypatch.setattr(train_gan, "read_images", lambda *_: ImageSet((), np.zeros((16, 16, 16, 3), np.uint8)))
    (tmp_path / "tiny.json").write_text("{}")
    given = dict.fromkeys(("normalize", "kept", "folder"), tmp_path)
    with pytest.raises(Reached):
        train_gan.train_gan(
            GanOptions(), definition=tmp_path / "tiny.json", classifier=None, live=None, progress=silent,
            should_stop=never, **given,
        )  # fmt: skip
    assert asked == [tmp_path]


class Reached(Exception):
    """So far, and no further."""
