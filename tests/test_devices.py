import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import devices, machine
from pipeline.devices import BFLOAT16, choose_dtype, has_bfloat16
from pipeline.errors import UserError

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture
def processor(monkeypatch):
    """Lets the machine have no GPU and a processor with such flags."""
    tf = pytest.importorskip("tensorflow")

    def has(*flags):
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
        monkeypatch.setattr(devices, "processor_flags", lambda: set(flags))

    return has


def test_a_precision_that_is_named_is_taken():
    assert (choose_dtype("float32"), choose_dtype("bfloat16")) == ("float32", BFLOAT16)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [((), False), (("avx2", "avx512f"), False), (("avx512f", "avx512_bf16"), True), (("amx_bf16",), True)],
)
def test_a_processor_s_instructions_for_bfloat16_are_seen_and_alone_choose_nothing(processor, flags, expected):
    processor(*flags)
    assert has_bfloat16() == expected
    assert choose_dtype("auto") == "float32"


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), "float32"), ((8, 0), BFLOAT16), ((9, 0), BFLOAT16)])
def test_a_gpu_computes_in_bfloat16_since_2020(monkeypatch, capability, expected):
    tf = pytest.importorskip("tensorflow")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": capability})
    assert choose_dtype("auto") == expected


def test_a_backend_without_a_step_is_refused(monkeypatch):
    monkeypatch.setattr(devices.keras.backend, "backend", lambda: "torch")
    with pytest.raises(UserError, match=r"KERAS_BACKEND=torch.*tensorflow, jax"):
        devices.prepare_devices()


@pytest.mark.parametrize(
    ("plugin", "told", "expected"),
    [
        (True, None, "--xla_gpu_deterministic_ops=true"),
        (True, "--xla_dump_to=here", "--xla_dump_to=here --xla_gpu_deterministic_ops=true"),
        (True, "--xla_gpu_deterministic_ops=false", "--xla_gpu_deterministic_ops=false"),
        (False, None, None),
    ],
)
def test_jax_is_told_to_be_repeatable_where_it_may_find_a_gpu_and_nobody_has_told_it(
    monkeypatch, plugin, told, expected
):
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.delenv("XLA_FLAGS") if told is None else monkeypatch.setenv("XLA_FLAGS", told)
    monkeypatch.setattr(devices.keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: plugin or None)
    devices.prepare_devices()
    assert os.environ.get("XLA_FLAGS") == expected


@pytest.mark.slow
def test_xla_knows_the_flag():
    """It ends the process over a flag that it does not know."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("needs jax, which is not installed (requirements-dev.txt names it)")
    environment = os.environ | {"XLA_FLAGS": f"--{devices.REPEATABLE}=true", "JAX_PLATFORMS": "cpu"}
    compute = [sys.executable, "-c", "import jax; print(jax.numpy.ones(2).sum())"]
    done = subprocess.run(compute, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "2.0", done.stderr


def test_what_the_user_set_in_the_environment_stays():
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "KERAS"))}
    show = (
        "import os, sys, types; sys.modules['keras'] = types.ModuleType('keras'); import pipeline.devices;"
        " print(os.environ['TF_ENABLE_ONEDNN_OPTS'], os.environ['KERAS_BACKEND'])"
    )
    for given, expected in (({}, "1 tensorflow"), ({"TF_ENABLE_ONEDNN_OPTS": "0", "KERAS_BACKEND": "jax"}, "0 jax")):
        done = subprocess.run(
            [sys.executable, "-c", show],
            cwd=Path(__file__).parents[1],
            env=environment | given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.strip() == expected, done.stderr


def test_the_versions_name_the_release_of_this_project(monkeypatch):
    monkeypatch.setattr(devices.metadata, "version", lambda name: {"ganmill": "0.1.0"}.get(name, "1"))
    assert devices.versions()["ganmill"] == "0.1.0"


def test_the_versions_say_so_if_this_project_is_not_installed(monkeypatch):
    def version(name):
        if name == "ganmill":
            raise devices.metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(devices.metadata, "version", version)
    assert devices.versions()["ganmill"] == "not installed as a package"


def test_only_cores_that_this_process_may_use_are_counted(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert machine.usable_cores() == 2


def test_what_the_system_tells_of_the_processor_is_read(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_text("model name\t: Some CPU\nflags\t\t: fpu avx2\nmodel name\t: Another\n")
    monkeypatch.setattr(machine, "Path", lambda _: tmp_path / "cpuinfo")
    assert machine.processor_name() == "Some CPU"
    assert machine.processor_flags() == {"fpu", "avx2"}
    (tmp_path / "cpuinfo").unlink()
    assert machine.processor_flags() == set()
    assert machine.processor_name()


def test_gpu_is_known_by_the_files_of_its_driver(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "GPU_FILES", (tmp_path / "nvidiactl", tmp_path / "dxg"))
    assert not machine.has_gpu_driver()
    (tmp_path / "dxg").touch()
    assert machine.has_gpu_driver()


@pytest.mark.parametrize(
    ("given", "expected"), [pytest.param({}, "3", marks=pytest.mark.long), ({"TF_CPP_MIN_LOG_LEVEL": "1"}, "1")]
)
def test_the_environment_of_the_user_comes_before_ours(given, expected):
    environment = {name: value for name, value in os.environ.items() if name not in machine.BACKEND_ENVIRONMENT}
    code = "import os, pipeline.devices; print(os.environ['TF_CPP_MIN_LOG_LEVEL'], os.environ['KERAS_BACKEND'])"
    asked = [sys.executable, "-c", code]
    found = subprocess.run(asked, env=environment | given, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [expected, "tensorflow"]


def test_where_keras_uses_jax_tensorflow_is_not_asked_for_a_gpu():
    pytest.importorskip("jax")
    code = "import sys; sys.modules['tensorflow'] = None; from pipeline.devices import has_gpu; print(has_gpu())"
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    asked = [sys.executable, "-c", code]
    found = subprocess.run(asked, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False"]
