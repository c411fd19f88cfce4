"""The weights of the frozen network of a vision-aided discriminator."""

import pytest

from pipeline import pretrained
from pipeline.errors import UserError
from pipeline.gan import frozen_network
from pipeline.gan.frozen_network import find_weights, require_weights
from pipeline.store.digest import of_file


def test_the_network_that_teaches_is_not_one_that_scores(shipped_weights):
    assert find_weights() == require_weights()
    assert find_weights().digest == of_file(find_weights().path) != pretrained.find_shipped().digest


def test_without_the_package_one_line_says_what_to_install(no_package):
    assert find_weights() is None
    with pytest.raises(UserError, match=r"^discriminator.vision_aided: the package .*requirements.txt.* to false$"):
        require_weights()


def test_a_package_with_another_file_is_as_good_as_none(tmp_path, monkeypatch):
    monkeypatch.setattr(frozen_network, "PACKAGE", "some_frozen_weights")
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "some_frozen_weights" / frozen_network.FILE
    file.parent.mkdir(parents=True)
    (tmp_path / "some_frozen_weights" / "__init__.py").write_text("raise AssertionError('code of the package is run')")
    file.write_bytes(b"weights")
    assert find_weights() is None
    monkeypatch.setattr(frozen_network, "SHA256", of_file(file))
    assert require_weights().path == file
