"""Reals on the device: training is bit-identical. Run as a program, it prints whether it is on its backend."""

import dataclasses
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.gan.training import loop, step_inputs
from pipeline.gan.training.step_inputs import DeviceImages, keep_on_device, memory_limit
from tests.gan.drawn_discs import draw_discs
from tests.gan.fake_steps import STEPS, make_trainer, run
from tests.gan.step_runner import StepRunner, define, same

REPOSITORY = Path(__file__).parents[3]
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
TREE = {"balance": {"discriminator_steps": 2}}  # so that indices have two axes


def run_steps(*, on_device: bool) -> StepRunner:
    """A GAN after three steps on reals on the device or on the host."""
    runner = StepRunner(define(TREE))
    if on_device:
        runner.step_planner = dataclasses.replace(runner.step_planner, images=DeviceImages(runner.step_planner.images))
    runner.run(range(3))
    return runner


def is_the_same_training() -> bool:
    host, device = run_steps(on_device=False), run_steps(on_device=True)
    assert not isinstance(device.step_planner.inputs(0).reals, np.ndarray)
    return same(host.state.arrays(), device.state.arrays())


def gpu(monkeypatch, memory: dict | None) -> None:
    """Make JAX report a GPU with these memory statistics."""
    jax = pytest.importorskip("jax")
    monkeypatch.setattr(step_inputs, "backend", lambda: "jax")
    device = SimpleNamespace(platform="gpu", memory_stats=lambda: memory)
    monkeypatch.setattr(jax, "local_devices", lambda: [device])


@pytest.mark.parametrize("channels", [1, 3])
def test_device_images_gather_by_index(channels):
    images = draw_discs(11, size=24)[..., :channels]
    indices = np.array([[3, 0, 10], [3, 9, 1]])
    found = np.asarray(DeviceImages(images)[indices])
    assert found.dtype == np.uint8
    assert np.array_equal(found, images[indices])


def test_device_images_keep_every_byte():
    images = np.random.default_rng(0).integers(0, 256, (64, 16, 16, 3), np.uint8)
    images[0], images[1] = 255, 0  # NaN as float32 words, and zeros
    images[2, ..., :] = np.frombuffer(b"\x01\x00\x80\x7f", np.uint8).repeat(192).reshape(16, 16, 3)
    images[3] = np.resize(np.frombuffer(b"\x01\x00\x80\x7f", np.uint8), (16, 16, 3))  # signalling NaN
    images[4] = np.resize(np.frombuffer(b"\x01\x00\x00\x00", np.uint8), (16, 16, 3))  # denormal
    assert np.array_equal(np.asarray(DeviceImages(images)[np.arange(64)]), images)


@pytest.mark.long
def test_training_on_device_images_is_bit_identical():
    assert is_the_same_training()


@pytest.mark.long
def test_training_on_device_images_is_bit_identical_on_jax():
    if importlib.util.find_spec("jax") is None:
        pytest.skip("needs jax, which is not installed (requirements-dev.txt names it)")
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": QUICK}
    command = [sys.executable, "-m", "tests.gan.training.test_step_inputs_on_device"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["jax", "True"], done.stderr


def test_trainer_takes_reals_from_the_device(tmp_path, monkeypatch, fake_steps):
    monkeypatch.setattr(loop, "keep_on_device", DeviceImages)
    trainer, taken = make_trainer(tmp_path / "a", epochs=1), []
    really = trainer._step
    trainer._step = lambda plan, inputs: taken.append(inputs.reals) or really(plan, inputs)
    run(trainer)
    assert len(taken) == STEPS
    indices = [trainer.batches.batch_indices(number) for number in range(STEPS)]
    for reals, expected in zip(taken, indices, strict=True):
        assert not isinstance(reals, np.ndarray)
        assert np.array_equal(np.asarray(reals), trainer.images[expected])


def test_keep_on_device_without_a_gpu_changes_nothing():
    images = draw_discs(4)
    assert memory_limit() == 0
    assert keep_on_device(images) is images


@pytest.mark.parametrize(("memory", "limit"), [({"bytes_limit": 8000}, 2000), (None, 2**30), ({}, 2**30)])
def test_memory_limit_is_a_quarter_of_the_gpu(monkeypatch, memory, limit):
    gpu(monkeypatch, memory)
    assert memory_limit() == limit


@pytest.mark.parametrize(("spare", "on_device"), [(0, True), (-4, False)])
def test_keep_on_device_only_if_the_images_fit(monkeypatch, spare, on_device):
    images = draw_discs(4)
    gpu(monkeypatch, {"bytes_limit": 4 * images.nbytes + spare})
    held = keep_on_device(images)
    assert (held is not images) is on_device
    if on_device:
        assert np.array_equal(np.asarray(held[np.array([2, 0])]), images[[2, 0]])


if __name__ == "__main__":
    print(step_inputs.backend(), is_the_same_training())
