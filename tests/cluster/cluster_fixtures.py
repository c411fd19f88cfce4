"""A cluster of two processes of this machine."""

from collections.abc import Iterator

import pytest

from pipeline.cluster.client import Cluster


@pytest.fixture(scope="session")
def dask_cluster() -> Iterator:
    """The cluster, as Dask has it."""
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    import dask

    security = distributed.Security.temporary()
    with dask.config.set({"distributed.worker.daemon": False}):
        started = distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            protocol="tls",
            security=security,
            dashboard_address=None,
            silence_logs=50,
            resources={"GPU": 1},
        )
    yield started
    started.close()


@pytest.fixture
def cluster(dask_cluster) -> Cluster:
    """The cluster, as stages are given it."""
    security = dask_cluster.security
    names = [f"tls_{side}_{kind}" for side in ("scheduler", "worker", "client") for kind in ("key", "cert")]
    certificates = {name: getattr(security, name) for name in ["tls_ca_file", *names]}
    return Cluster(address=dask_cluster.scheduler_address, certificates=certificates, dataset="cats")
