"""TensorFlow reads the TFRecord files that are written without it."""

import pytest

from pipeline.store.tfrecord import encode_example, write_records

tf = pytest.importorskip("tensorflow")


def test_tensorflow_reads_every_record_and_every_kind_of_value(tmp_path):
    values = {"picture": b"\xff\0", "text": "ピカ\ud800", "number": -7, "large": 1 << 62, "yes": True, "part": 0.25}
    values |= {"huge": 1 << 70, "more": 1e300, "none": None}
    records = [encode_example({**values, "place": place, "long": "x" * 5000 * place}) for place in range(3)]
    with (tmp_path / "a.tfrecord").open("wb") as file:
        write_records(file, records)
    read = [record.numpy() for record in tf.data.TFRecordDataset(str(tmp_path / "a.tfrecord"))]
    assert read == records
    feature = tf.train.Example.FromString(read[2]).features.feature
    assert sorted(feature) == sorted([*values.keys() - {"none"}, "place", "long"])
    assert feature["picture"].bytes_list.value == [b"\xff\0"]
    assert feature["text"].bytes_list.value == ["ピカ?".encode()]
    assert [feature[name].int64_list.value[0] for name in ("number", "large", "yes", "place")] == [-7, 1 << 62, 1, 2]
    assert feature["part"].float_list.value == [0.25]
    assert feature["more"].float_list.value == [float("inf")]
    assert feature["huge"].bytes_list.value == [str(1 << 70).encode()]
    parsed = tf.io.parse_single_example(read[1], {"part": tf.io.FixedLenFeature([], tf.float32)})
    assert float(parsed["part"]) == 0.25
