"""The certificates of a cluster: made once, readable by their owner alone, and enough for Dask."""

import stat

import pytest

from pipeline.cluster.certificates import FILES, make_certificates, read_certificates
from pipeline.errors import UserError

pytest.importorskip("cryptography", reason="cryptography is not installed")


def test_certificates_are_for_their_owner_alone(tmp_path):
    make_certificates(tmp_path / "new" / "folder")
    for name in FILES:
        assert stat.S_IMODE((tmp_path / "new" / "folder" / name).stat().st_mode) == 0o600


def test_certificates_are_not_made_twice(tmp_path):
    make_certificates(tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    with pytest.raises(UserError, match="has certificates already: copy them to the other machines"):
        make_certificates(tmp_path)
    assert before == {name: (tmp_path / name).read_bytes() for name in FILES}


def test_two_clusters_have_different_certificates(tmp_path):
    make_certificates(tmp_path / "a")
    make_certificates(tmp_path / "b")
    assert read_certificates(tmp_path / "a") != read_certificates(tmp_path / "b")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named_with_what_makes_it(tmp_path, name):
    make_certificates(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(UserError, match=rf"{name} cannot be read .*`python -m tasks cluster certificates` makes them"):
        read_certificates(tmp_path)


def test_dask_takes_them_and_admits_nobody_else(tmp_path):
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    for name in ("ours", "theirs"):
        make_certificates(tmp_path / name)
    read = (read_certificates(tmp_path / name) for name in ("ours", "theirs"))
    ours, theirs = (distributed.Security(**each, require_encryption=True) for each in read)
    with distributed.LocalCluster(
        n_workers=0, host="127.0.0.1", protocol="tls", security=ours, dashboard_address=None, silence_logs=50
    ) as cluster:
        with distributed.Client(cluster.scheduler_address, security=ours, set_as_default=False) as client:
            assert client.status == "running"
        with pytest.raises(OSError, match="certificate does not match"):
            distributed.Client(cluster.scheduler_address, security=theirs, timeout=1, set_as_default=False)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", ["rubbish", "of another cluster"])
def test_what_is_no_certificate_or_not_of_the_others_is_refused(tmp_path, name, content):
    make_certificates(tmp_path / "a")
    make_certificates(tmp_path / "b")
    other = content if content == "rubbish" else (tmp_path / "b" / name).read_text()
    (tmp_path / "a" / name).write_text(other)
    if (name, content) == ("ca.pem", "of another cluster"):  # only a connection shows that
        assert read_certificates(tmp_path / "a")
        return
    with pytest.raises(UserError, match=r"has no certificates that can be used .*every machine of a cluster needs"):
        read_certificates(tmp_path / "a")
