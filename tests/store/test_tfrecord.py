"""TFRecord files, by their specification; tests/store/test_tfrecord_tensorflow.py reads them with TensorFlow."""

import io
import random
import struct

import pytest

from pipeline.store.tfrecord import BLOCK, crc32c, encode_example, write_records


def crc32c_bit_by_bit(data: bytes) -> int:
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "checksum"),  # of RFC 3720, appendix B.4
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_checksums_are_those_of_the_standard(data, checksum):
    assert crc32c(data) == checksum


@pytest.mark.parametrize("size", [*range(9), BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 3, BLOCK + 4, 2 * BLOCK + 2])
def test_checksums_of_any_length_are_right(size):
    data = random.Random(size).randbytes(size)
    assert crc32c(data) == crc32c_bit_by_bit(data)


def test_a_record_has_its_length_and_two_masked_checksums():
    file = io.BytesIO()
    write_records(file, [b"abc", b""])
    content = file.getvalue()
    assert len(content) == 2 * 16 + 3
    length, _, data, masked = struct.unpack("<QI3sI", content[:19])
    crc = crc32c(b"abc")
    assert (length, data) == (3, b"abc")
    assert masked == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_an_example_is_its_protocol_buffer():
    value = b"\x0a\x02\xac\x02"  # field 1, 2 bytes: 300
    feature = b"\x1a\x04" + value  # field 3, int64_list
    entry = b"\x0a\x01a" + b"\x12\x06" + feature  # fields 1 and 2: name and feature
    assert encode_example({"a": 300, "n": None}) == b"\x0a\x0d" + b"\x0a\x0b" + entry


def test_the_same_features_give_the_same_bytes():
    assert encode_example({"b": 1, "a": "x"}) == encode_example({"a": b"x", "b": True})
