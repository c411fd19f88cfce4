import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import keras
import numpy as np
import pytest

from pipeline import pretrained
from pipeline.errors import UserError
from pipeline.gan.evaluation import features as extractors
from pipeline.gan.evaluation.features import choose_extractor, enlarge
from pipeline.pretrained import Published, is_extractor_missing
from tests.gan.conftest import draw_discs

IMAGES = draw_discs(11)
TEXTURES = 2684  # features of a picture
MOBILE = "mobilenet_1_0_224_no_top.weights.h5"


@pytest.fixture(autouse=True)
def nothing_cached(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(pretrained, "BASE_URL", "http://127.0.0.1:9")  # no server here


@pytest.fixture
def small_sides(monkeypatch):
    """Both networks at their smallest input side, which is fast."""
    monkeypatch.setattr(extractors, "SIDES", {"MobileNet": 32, "InceptionV3": 75})


@pytest.fixture
def publish(monkeypatch):
    """`publish(name, path)` makes the network serve that file as the weights of `name`."""
    bodies = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(bodies[self.path])

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(pretrained, "BASE_URL", f"http://127.0.0.1:{server.server_port}")

    def publish(name, path):
        body = path.read_bytes()
        bodies[f"/x/{name}.weights.h5"] = body
        known = Published(folder="x", file=f"{name}.weights.h5", md5=hashlib.md5(body).hexdigest())
        for table in ("KNOWN", "SCORING_NETWORKS"):
            if name in getattr(pretrained, table):
                monkeypatch.setitem(getattr(pretrained, table), name, known)
        return known.md5

    yield publish
    server.shutdown()
    server.server_close()


def save_some_weights(name, path):
    keras.utils.set_random_seed(0)
    side = extractors.SIDES[name]
    getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(side, side, 3)).save_weights(path)
    return path


def test_extractor_without_classifier_and_weights_is_textures():
    for wanted in ("auto", "own"):
        assert choose_extractor(wanted, None).name == "textures-64"
        assert choose_extractor(wanted, None).features(IMAGES).shape == (11, TEXTURES)


@pytest.mark.slow
def test_only_a_named_network_is_fetched_and_the_cache_changes_no_default(small_sides, publish, tmp_path):
    md5 = publish("MobileNet", save_some_weights("MobileNet", tmp_path / "some.weights.h5"))
    assert choose_extractor("auto", None).name == "textures-64"
    assert is_extractor_missing("MobileNet")
    assert choose_extractor("MobileNet", None).name == f"mobilenet-32-{md5[:8]}"
    for option in ("auto", "own"):
        assert choose_extractor(option, None).name == "textures-64"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "wanted", "count"),
    [
        ("MobileNet", "MobileNet", 1024),
        pytest.param("InceptionV3", "Inception", 2048, marks=pytest.mark.long),
    ],
)
def test_weights_file_is_identified_by_its_content(small_sides, publish, tmp_path, name, wanted, count):
    path = save_some_weights(name, tmp_path / "some.weights.h5")
    publish(name, path)
    from_file, fetched = choose_extractor(str(path), None), choose_extractor(wanted, None)
    assert from_file.name.startswith(f"{name.lower()}-{extractors.SIDES[name]}-")
    assert from_file.features(IMAGES).shape == (11, count)
    assert np.array_equal(from_file.features(IMAGES), fetched.features(IMAGES))


@pytest.mark.long
@pytest.mark.slow
def test_features_do_not_depend_on_the_batch_and_accept_grey(small_sides, tmp_path):
    extractor = choose_extractor(str(save_some_weights("MobileNet", tmp_path / "some.weights.h5")), None).features
    assert np.array_equal(extractor(IMAGES)[9:], extractor(IMAGES[9:]))
    grey = IMAGES[..., :1]
    assert np.array_equal(extractor(grey), extractor(np.repeat(grey, 3, axis=3)))


def test_classifier_without_a_backbone_does_not_score_samples(tmp_path):
    assert choose_extractor("auto", tmp_path).name == "textures-64"  # a folder without backbone.tflite
    assert not choose_extractor("auto", tmp_path).pretrained


def test_grey_pictures_have_textures():
    assert choose_extractor("own", None).features(IMAGES[..., :1]).shape == (11, TEXTURES)


@pytest.mark.slow
def test_pretrained_features_ignore_brightness(shared_data):
    extractor = choose_extractor(str(shared_data / "weights" / MOBILE), None)
    assert extractor.name.startswith("mobilenet-192-")
    darker = (IMAGES * 0.9).astype(np.uint8)
    distances = np.linalg.norm(extractor.features(darker)[:, None] - extractor.features(IMAGES), axis=2)
    assert (distances.argmin(axis=1) == np.arange(11)).all()


def test_enlarge_shrinks_without_aliasing():
    stripes = np.zeros((1, 64, 64, 1), np.uint8)
    stripes[:, :, ::2] = 255
    small = enlarge(stripes, 20)
    assert small.shape == (1, 20, 20, 3)
    assert np.ptp(small) < 40  # of 255
    assert enlarge(np.full((2, 8, 8, 3), 200, np.uint8), 20).tolist() == np.full((2, 20, 20, 3), 200.0).tolist()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("Mobilnet", "did you mean 'MobileNet'"),
        ("InceptionV3", "did you mean 'Inception'"),
        ("/no/such.h5", "there is no such file"),
        ("Inception", "cannot be fetched"),
    ],
)
def test_unavailable_extractor_error_is_one_line(wanted, said):
    with pytest.raises(UserError, match=f"extractor = .*{said}") as caught:
        choose_extractor(wanted, None)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_invalid_weights_file_error_is_one_line(tmp_path):
    path = tmp_path / "text.weights.h5"
    path.write_text("no weights")
    with pytest.raises(UserError, match="no weights of MobileNet or InceptionV3") as caught:
        choose_extractor(str(path), None)
    assert "\n" not in str(caught.value)
