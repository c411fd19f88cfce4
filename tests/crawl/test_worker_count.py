"""How many worker processes a crawl has."""

from pathlib import Path

import pytest

from pipeline.crawl import worker_count
from pipeline.crawl.worker_count import HOSTS, LARGE, count_workers
from pipeline.options import DownloadOptions


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """The options of a crawl of a list; `count` URLs on so many hosts."""
    monkeypatch.setattr(worker_count, "usable_cores", lambda: 4)

    def make(count, host="h{}.example", hosts=10 * HOSTS, **changes):
        path = tmp_path / "urls.txt"
        path.write_text("".join(f"http://{host.format(number % hosts)}/{number}.png\n" for number in range(count)))
        return DownloadOptions(**({"sources": ("urls",), "urls": str(path), "limit": 10**6} | changes))

    return make


def test_a_large_list_keeps_every_core_busy(listed):
    assert count_workers(listed(LARGE)) == 4


def test_a_short_list_or_a_low_limit_needs_one_process(listed):
    assert count_workers(listed(LARGE - 1)) == 0
    assert count_workers(listed(2 * LARGE, limit=LARGE - 1)) == 0


def test_few_hosts_with_limits_need_few_processes(listed):
    assert count_workers(listed(LARGE, hosts=3)) == 0
    assert count_workers(listed(LARGE, hosts=HOSTS)) == 2


def test_hosts_of_a_sorted_list_are_counted_beyond_the_first_urls(listed):
    options = listed(0)
    path = Path(options.urls)
    path.write_text("".join(f"http://h{number // 100:04d}.example/{number}.png\n" for number in range(200 * HOSTS)))
    assert count_workers(options) == 3


def test_one_host_without_limit_keeps_every_core_busy(listed):
    assert count_workers(listed(LARGE, host="127.0.0.1")) == 4
    assert count_workers(listed(LARGE, host="127.0.0.1", host_rate=100.0)) == 0


def test_the_setting_counts_for_lists_only_and_each_process_needs_a_connection(listed):
    assert count_workers(listed(3, processes=3)) == 3
    assert count_workers(listed(LARGE, processes=1)) == 0
    assert count_workers(listed(LARGE, processes=8, connections=5)) == 5
    assert count_workers(listed(LARGE, processes=3, sources=("urls", "site"), site="http://a.example")) == 0
    assert count_workers(DownloadOptions(processes=3)) == 0
