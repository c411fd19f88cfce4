"""benchmarks/gpu_check.py, at a small size on a CPU."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import gpu_check, gpu_jobs
from benchmarks.gpu_jobs import Budget, Job, Outcome, run_job
from benchmarks.gpu_resume import compared
from benchmarks.gpu_rows import Scale, chosen, ratios, speed_rows
from pipeline.images.contact_sheet import write_png
from tests.gan.drawn_discs import draw_discs

REPOSITORY = Path(__file__).parents[2]
SCRIPT = REPOSITORY / "benchmarks" / "gpu_check.py"
SMALL = ["--side", "16", "--width", "4"]
TINY_SPEED = ["speed", *SMALL, "--batches", "8,16", "--turn", "0.05", "--models", "wide", "no-such-model"]
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
# Put first on the path of every process: the names that must not be needed cannot be imported
GUARD = """
import sys
class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names}:
            raise ModuleNotFoundError("refused: " + name, name=name.partition(".")[0])
sys.meta_path.insert(0, Refuses())
"""


def check(*arguments: str, **environment: str) -> tuple[str, dict]:
    """The output of the script, and the JSON of its last line."""
    command = [sys.executable, str(SCRIPT), *arguments]
    environment = os.environ | {"OUT": "", "JAX_PLATFORMS": "cpu"} | environment
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(done.stdout.splitlines()[-1])


def jax_alone(folder: Path, *names: str) -> dict[str, str]:
    """An environment in which Keras uses JAX, and none of `names` can be imported."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("needs jax, which is not installed (requirements-dev.txt names it)")
    (folder / "sitecustomize.py").write_text(GUARD.replace("{names}", repr(set(names))))
    return {"KERAS_BACKEND": "jax", "PYTHONPATH": str(folder), "XLA_FLAGS": QUICK}


def job(tmp_path: Path, monkeypatch, code: str) -> Job:
    """A job whose worker runs `code`; `told` writes a result."""
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import json, os, sys, time\njob = json.loads(sys.argv[1])\n"
        "def told(**found):\n    print(json.dumps(found), file=open(job['results'], 'a'), flush=True)\n" + code
    )
    monkeypatch.setattr(gpu_jobs, "WORKER", worker)
    return Job(kind="step", given={})


@pytest.mark.long
def test_gpu_check_continues_after_a_failed_row(tmp_path):
    """On JAX, where nothing may want TensorFlow, Luigi, or what makes plots, sheets and crawls."""
    unwanted = ("tensorflow", "luigi", "PIL", "h5py", "matplotlib", "icrawler", "bs4", "jinja2", "cleanlab")
    environment = jax_alone(tmp_path, *unwanted)
    out = tmp_path / "found" / "speed.json"
    asked = ["--only", "no-such", "batch 8, float32", "--seconds", "120", "--out", str(out)]
    printed, found = check(*TINY_SPEED, *asked, **environment)
    rows = {row["name"]: row for row in found["rows"]}
    assert "cannot be read" in rows["no-such-model, 16 px, bfloat16"]["failed"]
    row = rows["DCGAN, 16 px, batch 8, float32"]
    assert row["images_per_second"] == pytest.approx(8000 / row["ms_per_step"], rel=1e-3)
    assert row["slowest_images_per_second"] <= row["images_per_second"] <= row["fastest_images_per_second"]
    assert 0 < row["share_in_step"] <= 1
    assert row["compile_seconds"] > row["ms_per_step"] / 1000
    assert row["peak_bytes"] > 50e6
    assert (found["device"]["kind"], found["device"]["backend"]) == ("cpu", "jax")
    assert json.loads(out.read_text()) == found
    failed = [line for line in printed.splitlines() if "failed: UserError" in line]
    assert len(failed) == 1


def test_gpu_rows_are_complete_and_ordered_by_importance():
    names = [row.name for row in speed_rows(Scale(), backend="jax")]
    assert names[:4] == [
        "DCGAN, 64 px, batch 64, bfloat16",
        "DCGAN, 64 px, batch 64, float32",
        "DCGAN, 64 px, batch 512, bfloat16",
        "DCGAN, 64 px, batch 512, float32",
    ]
    told = "\n".join(names)
    for wanted in ("PyTorch's", "resume", "wide", "sagan", "128 px", "256 px", "any kernels"):
        assert wanted in told
    assert len(set(names)) == len(names)
    assert "XLA" not in told
    assert "XLA" in "\n".join(row.name for row in speed_rows(Scale(), backend="tensorflow"))


def test_gpu_report_compares_with_pytorch():
    rows = speed_rows(Scale(), backend="jax")
    (theirs,) = (row for row in chosen(rows, ["pytorch"]) if "batch 64, bfloat16" in row.name)
    found = [{"name": theirs.beside, "images_per_second": 300.0}, {"name": theirs.name, "images_per_second": 200.0}]
    assert ratios(found, rows) == {"DCGAN, 64 px, batch 64, bfloat16": 1.5}
    assert ratios(found[:1], rows) == {}


def test_gpu_row_starts_only_if_the_longest_of_its_kind_fits():
    budget = Budget(100)
    assert budget.expected("step", 2.0) == 0
    budget.took("step", 1.0, 20.0)
    budget.took("step", 2.0, 60.0)
    budget.took("torch", 1.0, 90.0)
    assert budget.expected("step", 1.5) == 45
    assert budget.expected("resume", 1.0) == 60
    assert budget.limit(50) == 50
    assert budget.limit(500) == pytest.approx(125, abs=1)


def test_gpu_check_reports_skipped_rows_and_ignores_failed_durations(monkeypatch, capsys):
    """Each row takes 20 of 50 seconds, but the first, which fails late."""
    clock, taken = [0.0], []

    def run(job, *, limit, on_finding):
        clock[0] += 5 if not taken else 20
        taken.append(job)
        figures = {"images_per_second": 1.0, "ms_per_step": 1.0, "compile_seconds": 1.0, "peak_bytes": 1}
        return Outcome([figures], "" if len(taken) > 1 else "RESOURCE_EXHAUSTED")

    monkeypatch.setattr(gpu_jobs, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(gpu_check, "run_job", run)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(sys, "argv", ["gpu_check.py", "speed", "--seconds", "50"])
    gpu_check.main()
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["rows"]
    assert rows[0]["failed"] == "RESOURCE_EXHAUSTED"
    assert ["images_per_second" in row for row in rows[:4]] == [False, True, True, False]
    assert rows[3]["not_begun"] == "5 s are left, and it may take 20"
    assert len(taken) == 3


def test_hanging_gpu_job_is_killed_and_its_results_kept(tmp_path, monkeypatch):
    code = "told(a=1)\nimport subprocess; other = subprocess.Popen(['sleep', '60'])\ntold(b=other.pid)\ntime.sleep(60)"
    begun, heard = time.monotonic(), []
    outcome = run_job(job(tmp_path, monkeypatch, code), limit=1.5, on_finding=heard.append)
    assert time.monotonic() - begun < 10
    assert "took longer than" in outcome.failed
    assert heard == outcome.found
    assert heard[0] == {"a": 1}
    until = time.monotonic() + 10
    while (alive := _runs(heard[1]["b"])) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive


def _runs(process: int) -> bool:
    """Whether the process exists and is not a zombie."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("os.kill(os.getpid(), 9)", "ended by signal 9"),
        ("sys.exit('no kernel image is available')", "ended with code 1: no kernel image is available"),
    ],
)
def test_crashed_gpu_job_gives_one_line(tmp_path, monkeypatch, code, said):
    outcome = run_job(job(tmp_path, monkeypatch, code), limit=30)
    assert outcome.failed == said


def test_resume_difference_is_measured():
    one = {"a": np.array([1.0, np.nan]), "b": np.array([1, 2])}
    assert compared(one, {name: array.copy() for name, array in one.items()})["bit_identical"]
    found = compared(one, {"a": one["a"], "b": np.array([1, 5])})
    assert (found["bit_identical"], found["arrays_that_differ"], found["largest_difference"]) == (False, 1, 3.0)


@pytest.mark.long
def test_gpu_quality_scores_samples_of_a_folder(tmp_path):
    """On the backend of this process."""
    import keras

    weights, pictures = tmp_path / "some.weights.h5", tmp_path / "pictures"
    pictures.mkdir()
    for number, image in enumerate(draw_discs(20, size=24)):
        write_png(pictures / f"{number}.png", image)
    (pictures / "notes.txt").write_text("no picture")
    keras.applications.MobileNet(weights=None, include_top=False, input_shape=(192, 192, 3)).save_weights(weights)
    given = [str(pictures), "--weights", str(weights), "--minutes", "0.005,99", "--models", "dcgan", "--samples", "16"]
    printed, found = check("quality", *SMALL, *given, OUT=str(tmp_path / "out"))
    told, early, late = found["rows"]
    assert (told["pictures"], told["extractor"].partition("-")[0]) == (20, "mobilenet")
    assert early["name"] == "dcgan, 16 px, 0.005 minutes"
    assert all(np.isfinite(early[name]) for name in ("kid", "kid_error", "kid_floor", "images_per_second"))
    assert early["images_seen"] > 0
    assert Path(early["sheet"]).read_bytes().startswith(b"\x89PNG")
    assert Path(early["sheet"]).parent == tmp_path / "out"
    assert "are left" in late["not_begun"]
    assert json.loads((tmp_path / "out" / "gpu_quality.json").read_text()) == found
    assert "of reals" in printed


@pytest.mark.long
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_gpu_resume_is_bit_identical(tmp_path, backend):
    environment = jax_alone(tmp_path, "tensorflow") if backend == "jax" else {"KERAS_BACKEND": backend}
    _, found = check(*TINY_SPEED, "--seconds", "200", "--only", "resume", "XLA", **environment)
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["resume, 16 px, batch 8, bfloat16"]["bit_identical"]
    if backend == "tensorflow":
        assert rows["DCGAN, 16 px, batch 16, bfloat16, XLA"]["images_per_second"] > 0
