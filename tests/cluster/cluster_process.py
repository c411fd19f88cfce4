"""A cluster of two processes, which ends with its standard input: `python -m tests.cluster.cluster_process`."""

import json
import sys

import dask
from distributed import LocalCluster, Security

from tasks.machines import DASK


def main() -> None:
    """Start the cluster, and print its address and certificates as JSON."""
    security = Security.temporary()
    dask.config.set(DASK)
    started = LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        host="127.0.0.1",
        protocol="tls",
        security=security,
        dashboard_address=None,
        silence_logs=50,
        resources={"GPU": 1},
    )
    names = [f"tls_{side}_{kind}" for side in ("scheduler", "worker", "client") for kind in ("key", "cert")]
    certificates = {name: getattr(security, name) for name in ["tls_ca_file", *names]}
    print(json.dumps({"address": started.scheduler_address, "certificates": certificates}), flush=True)
    sys.stdin.read()
    started.close()


if __name__ == "__main__":
    main()
