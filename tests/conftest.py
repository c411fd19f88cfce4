"""What all tests share."""

import os
import signal
import sys
from functools import cache
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # the testers have the cores among them; before NumPy loads
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

from pipeline import pretrained
from pipeline.gan import frozen_network
from pipeline.machine import BACKEND_ENVIRONMENT
from tests.cluster.cluster_fixtures import cluster
from tests.store.stores import bucket, s3

__all__ = ["bucket", "cluster", "s3"]  # fixtures of several folders

os.environ["GANMILL_MEASURE"] = "0"  # what is fastest is measured in its own tests
os.environ.update(BACKEND_ENVIRONMENT)  # before any test loads TensorFlow: as in a stage's own process

REPOSITORY = Path(__file__).parent.parent
SHIPPED_PACKAGE = pretrained.SHIPPED_PACKAGE  # before it is hidden
# What `make test-fast` runs: the tests of these folders that are not marked slow or long, ...
FAST = {"", "crawl", "crawl/sources", "demo", "gan/config", "images", "labels", "notebooks", "report", "store", "tasks"}
FAST |= {"tasks/nightly", "web", "web/api", "web/chain", "web/jobs", "web/labelling", "web/monitoring", "web/pages"}
FAST |= {"web/trainings"}
# ... but for modules that load TensorFlow, start processes or servers, run whole chains, or look at many pictures
NOT_FAST = {
    "crawl/test_worker_processes.py",
    "images/test_decode.py",
    "images/test_duplicates.py",
    "images/test_fuzz.py",
    "images/test_normalize.py",
    "images/test_worker_pool.py",
    "report/test_report_plots.py",
    "store/test_tfrecord_tensorflow.py",
    "tasks/nightly/test_night_news.py",
    "tasks/nightly/test_subject_process.py",
    "tasks/test_isolation.py",
    "tasks/test_one_story.py",
    "tasks/test_run_contract.py",
    "tasks/test_runner_worker.py",
    "tasks/test_studio_server.py",
    "tasks/test_signals.py",
    "test_deploy.py",
    "test_devices.py",
    "test_efficientnet.py",
    "test_pretrained.py",
    "web/api/test_datasets_api.py",
    "web/api/test_jobs_api.py",
    "web/api/test_openapi.py",
    "web/api/test_races_api.py",
    "web/api/test_rest_page.py",
    "web/api/test_styles_api.py",
    "web/jobs/test_background_run.py",
    "web/jobs/test_queue_live.py",
    "web/pages/test_overview_page.py",
    "web/pages/test_styles_page.py",
    "web/test_connections.py",
    "web/test_routes.py",
    "web/test_security.py",
    "web/test_server.py",
}


def is_fast(path: Path) -> bool:
    """Whether `make test-fast` runs the module `path`."""
    module = path.relative_to(REPOSITORY / "tests")
    return module.parent.as_posix().removeprefix(".") in FAST and module.as_posix() not in NOT_FAST


def pytest_ignore_collect(collection_path, config):
    """Spare `make test-fast` the import of the other modules, and so of TensorFlow."""
    only_fast = config.option.markexpr == "fast"
    return True if only_fast and collection_path.name.startswith("test_") and not is_fast(collection_path) else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark the tests that `make test-fast` runs."""
    for item in items:
        if is_fast(item.path) and not (item.get_closest_marker("slow") or item.get_closest_marker("long")):
            item.add_marker(pytest.mark.fast)


def pytest_runtest_setup():
    """Spare testers that share the cores the optimisation of graphs, which takes longer than the few steps of a test.

    Stages in processes of their own, and `make test-long`, run the graphs that users run.
    """
    if "PYTEST_XDIST_WORKER" in os.environ and "tensorflow" in sys.modules:
        _leave_graphs_as_they_are()


@pytest.fixture(autouse=True)
def signals_as_before():
    """A test that changes what SIGTERM does would let later ones, and the processes that they fork, go on."""
    yield
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        left = signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise AssertionError(f"the test has left {left} for SIGTERM")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown():
    """Forget the graphs that TensorFlow keeps for ever because of Keras's optimizers: 10 MB for each compiled one."""
    if "tensorflow" in sys.modules:
        from tensorflow.python.framework.ops import gradient_registry

        for name in [name for name in gradient_registry._registry if name.startswith("CustomGradient-")]:
            del gradient_registry._registry[name]


@cache
def _leave_graphs_as_they_are():
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture(scope="session", autouse=True)
def no_shipped_weights():
    """Scores of tests in this process are computed by textures, which need no time to load."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrained, "SHIPPED_PACKAGE", "not_installed")
        yield


@pytest.fixture
def no_package(monkeypatch) -> None:
    """The package with the weights of the frozen network is not installed."""
    monkeypatch.setattr(frozen_network, "PACKAGE", "not_installed")


@pytest.fixture
def shipped_weights(monkeypatch) -> None:
    """The weights of EfficientNet-Lite0, as users have them."""
    monkeypatch.setattr(pretrained, "SHIPPED_PACKAGE", SHIPPED_PACKAGE)
    if not pretrained.find_shipped():
        pytest.skip(f"the package {SHIPPED_PACKAGE} is not installed")


@pytest.fixture
def shared_data() -> Path:
    """Pictures that nobody here made; not part of the project, so a test that wants them may have to do without."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data, which is not here")
    return folder
