"""The compute mode is measured once, cached for the user, and recorded in checkpoints."""

import json
import math

import numpy as np
import pytest

from pipeline import devices
from pipeline.devices import BACKEND_DEFAULT_THREADS, BFLOAT16, ComputeMode, Threads
from pipeline.gan import dcgan, train_gan, tuning
from pipeline.gan.config import parse_definition
from pipeline.gan.training.saved import recorded_compute_mode
from pipeline.gan.tuning import choose_compute_mode, default_compute_mode
from pipeline.images.dataset import ImageSet
from pipeline.options import GanOptions
from pipeline.progress import never, silent

SIDE_BY_SIDE = Threads(within=1, between=2)
STEPS = 10**9  # enough to be worth a measurement


class Machine:
    """A fake machine on which each compute mode takes given seconds; counts the measurements."""

    def __init__(self, seconds: dict[tuple[str, Threads], float]) -> None:
        self.seconds = seconds
        self.measured = 0

    def in_turn(self, modes, definition, **_):
        self.measured += 1
        found = [self.seconds[compute_mode.precision, compute_mode.threads] for compute_mode in modes]
        return None if found[0] == math.inf else [[each] * 5 for each in found]


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Makes this machine a fake one of two cores with bfloat16 and given seconds per mode."""

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
        monkeypatch.setattr(tuning, "_measure_in_turn", made.in_turn)
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
        ("float32", BACKEND_DEFAULT_THREADS): float32_other,
        ("bfloat16", BACKEND_DEFAULT_THREADS): bfloat16_other,
    }


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (seconds(bfloat16=1.4), ComputeMode(threads=SIDE_BY_SIDE)),
        (seconds(bfloat16=0.95), ComputeMode(threads=SIDE_BY_SIDE)),  # less than a tenth faster
        (seconds(bfloat16=0.6), ComputeMode(dtype=BFLOAT16, threads=SIDE_BY_SIDE)),
        (seconds(float32_other=0.7), ComputeMode(threads=BACKEND_DEFAULT_THREADS)),
        (seconds(bfloat16=0.6, bfloat16_other=0.5), ComputeMode(dtype=BFLOAT16, threads=BACKEND_DEFAULT_THREADS)),
        (seconds(bfloat16=math.inf), ComputeMode(threads=SIDE_BY_SIDE)),  # a mode that fails
    ],
)
def test_another_mode_must_be_a_tenth_faster_than_the_default(machine, taken, expected):
    machine(taken)
    assert chosen() == expected


def test_measurement_is_cached_per_shape_for_the_user(machine, tmp_path):
    made = machine(seconds(bfloat16=0.6))
    assert [chosen() for _ in range(3)] == [ComputeMode(dtype=BFLOAT16, threads=SIDE_BY_SIDE)] * 3
    assert made.measured == 2  # precision, then threads
    chosen(generator={"optimizer": {"learning_rate": 0.01}}, description="another rate, as much work")
    assert made.measured == 2
    chosen(batch=20)
    assert made.measured == 4
    assert len(json.loads((tmp_path / "ganmill" / "ways.json").read_text())) == 2


@pytest.mark.parametrize("damage", [b"", b"[1, 2]", b"\xff", b"[" * 10_000, b'{"x": 1}', None])
def test_damaged_cache_is_measured_again(machine, tmp_path, damage):
    made = machine(seconds(bfloat16=0.6))
    first, path = chosen(), tmp_path / "ganmill" / "ways.json"
    known = json.loads(path.read_text())
    path.write_bytes(
        damage if damage is not None else json.dumps({name: ["float8", -1, "x"] for name in known}).encode()
    )
    assert chosen() == first
    assert made.measured == 4


def test_unwritable_cache_is_ignored(machine, tmp_path):
    machine(seconds(bfloat16=0.6))
    (tmp_path / "ganmill").write_text("a file where a folder is needed")
    assert chosen().precision == "bfloat16"


def test_failed_measurement_is_not_cached(machine, tmp_path):
    machine(seconds(float32=math.inf))
    assert chosen() == default_compute_mode(define(), size=32)
    assert not (tmp_path / "ganmill" / "ways.json").exists()


def test_no_measurement_without_alternatives_or_benefit(machine, monkeypatch):
    made = machine(seconds(), flags=False, cores=1)
    assert chosen() == ComputeMode()
    made = machine(seconds())
    assert choose_compute_mode(define(), size=32, channels=3, steps=10) == default_compute_mode(define(), size=32)
    monkeypatch.setenv("GANMILL_MEASURE", "0")
    chosen()
    assert made.measured == 0


def test_no_measurement_on_a_busy_machine(machine, monkeypatch, tmp_path):
    made = machine(seconds(bfloat16=0.6))
    monkeypatch.setattr(tuning, "is_busy", lambda: True)
    assert chosen() == default_compute_mode(define(), size=32)
    assert made.measured == 0
    assert not (tmp_path / "ganmill").exists()


@pytest.mark.parametrize(
    ("alternative", "faster"),
    [([0.8] * 7, True), ([0.95] * 7, False), ([0.5] * 6 + [9], True), ([0.5] * 5 + [9] * 2, False)],
)
def test_mode_is_faster_if_nearly_every_round_says_so(alternative, faster):
    assert tuning._is_faster([1.0] * 7, alternative) == faster


def test_explicit_precision_is_used(machine):
    machine(seconds(float32=0.1))
    assert chosen(precision="bfloat16").precision == "bfloat16"
    machine(seconds(bfloat16=0.1))
    assert chosen(precision="float32").precision == "float32"


@pytest.mark.long
def test_real_steps_of_each_mode_are_timed(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tiny = define(batch=16, generator={"width": 4}, discriminator={"width": 4})
    modes = [ComputeMode(), ComputeMode(dtype=BFLOAT16)]
    found = tuning._measure_in_turn(modes, tiny, size=16, channels=3, should_stop=lambda: False)
    assert len(found) == 2
    assert all(0 < each < 60 for turns in found for each in turns)
    assert tuning._measure_in_turn(modes, tiny, size=16, channels=3, should_stop=lambda: True) is None


def test_step_operations_grow_with_batch_and_size():
    small = tuning.step_operations(define(), size=32, channels=3)
    assert tuning.step_operations(define(batch=32), size=32, channels=3) == pytest.approx(2 * small)
    assert tuning.step_operations(define(), size=64, channels=3) > 3 * small


def test_loaded_dcgan_uses_the_compute_mode_of_its_checkpoint(monkeypatch, tmp_path):
    compute_mode = ComputeMode(dtype=BFLOAT16)  # default threads: TensorFlow would keep others for later tests
    monkeypatch.setattr(dcgan, "choose_compute_mode", lambda *_, **__: compute_mode)
    tiny = {"generator": {"width": 4}, "discriminator": {"width": 4}}
    gan = dcgan.Dcgan((16, 16, 3), tiny)
    gan.save(tmp_path / "gan")
    assert recorded_compute_mode(tmp_path / "gan") == compute_mode
    monkeypatch.setattr(dcgan, "choose_compute_mode", lambda *_, **__: pytest.fail("the checkpoint says it"))
    again = dcgan.Dcgan.load(tmp_path / "gan")
    again.save(tmp_path / "again")
    assert recorded_compute_mode(tmp_path / "again") == compute_mode
    assert recorded_compute_mode(tmp_path / "nothing") is None


def test_resumed_stage_uses_the_compute_mode_of_its_checkpoint(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        train_gan, "recorded_compute_mode", lambda folder: asked.append(folder) or ComputeMode(dtype=BFLOAT16)
    )
    monkeypatch.setattr(train_gan, "choose_compute_mode", lambda *_, **__: pytest.fail("the checkpoint says it"))
    monkeypatch.setattr(train_gan, "prepare_devices", lambda threads: (_ for _ in ()).throw(Reached(threads)))
    monkeypatch.setattr(train_gan, "kept_ids", lambda kept: ["a"] * 16)
    monkeypatch.setattr(train_gan, "read_images", lambda *_, **__: ImageSet((), np.zeros((16, 16, 16, 3), np.uint8)))
    (tmp_path / "tiny.json").write_text("{}")
    given = dict.fromkeys(("normalize", "kept", "folder"), tmp_path)
    with pytest.raises(Reached):
        train_gan.train_gan(
            GanOptions(), definition=tmp_path / "tiny.json", classifier=None, live=None, progress=silent,
            should_stop=never, **given,
        )  # fmt: skip
    assert asked == [tmp_path]


class Reached(Exception):
    """Raised to end the training here."""
