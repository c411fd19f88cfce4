"""TFRecord files of tf.train.Example, written without TensorFlow, which takes seconds to load.

A record is its length, a checksum of that, the data, and a checksum of these; the data are a protocol buffer. Sources:
https://www.tensorflow.org/tutorials/load_data/tfrecord, tensorflow/core/example/feature.proto, and RFC 3720, appendix
B.4, for CRC-32C.
"""

import struct
from collections.abc import Iterable, Mapping
from functools import cache
from typing import BinaryIO

import numpy as np

CASTAGNOLI = 0x82F63B78  # the polynomial of CRC-32C, lowest bit first
BLOCK = 4096  # bytes that are looked up at once: a table of 4 MB
MASK_DELTA = 0xA282EAD8
LENGTH_DELIMITED = 2  # wire type of texts, bytes, and messages in a protocol buffer
MOST = 1 << 63  # above every int64

Value = str | bytes | int | float


def write_records(file: BinaryIO, records: Iterable[bytes]) -> None:
    """Write `records` to `file`."""
    for data in records:
        length = struct.pack("<Q", len(data))
        file.write(length + _checksum(length))
        file.write(data)
        file.write(_checksum(data))


def encode_example(features: Mapping[str, Value | None]) -> bytes:
    """The tf.train.Example of `features`, in the order of their names: the same features give the same bytes.

    Text and bytes are a bytes_list, whole numbers and true and false an int64_list, others a float_list (32 bits) of
    one value each. What is None is left out; a whole number of more than 64 bits is text.
    """
    entries = (
        _field(1, _field(1, name.encode()) + _field(2, _feature(value)))
        for name, value in sorted(features.items())
        if value is not None
    )
    return _field(1, b"".join(entries))


def crc32c(data: bytes) -> int:
    """The CRC-32C of `data`."""
    table = _table()
    state, start = 0xFFFFFFFF, 0
    while (left := len(data) - start) > 0:
        # No block but a first one is shorter than the four bytes that the state is added to
        size = left if left < BLOCK + 4 else BLOCK
        block = np.frombuffer(data, np.uint8, size, start).astype(np.intp)
        for index, byte in enumerate(struct.pack("<I", state)[:size]):
            block[index] ^= byte
        looked_up = table[np.arange(size - 1, -1, -1), block]
        state = int(np.bitwise_xor.reduce(looked_up)) ^ (state >> 8 * size if size < 4 else 0)
        start += size
    return state ^ 0xFFFFFFFF


@cache
def _table() -> np.ndarray:
    """(BLOCK + 3, 256) uint32: what a byte that is so far from the end of a block adds to the state after it."""
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, (values >> 1) ^ np.uint32(CASTAGNOLI), values >> 1)
    table = np.empty((BLOCK + 3, 256), np.uint32)
    table[0] = values
    for distance in range(1, len(table)):
        table[distance] = (table[distance - 1] >> 8) ^ values[table[distance - 1] & 0xFF]
    return table


def _checksum(data: bytes) -> bytes:
    """The masked CRC-32C: data that have checksums in them would have a weak one."""
    crc = crc32c(data)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF)


def _feature(value: Value) -> bytes:
    if isinstance(value, int) and -MOST <= value < MOST:
        return _field(3, _field(1, _varint(value % (2 * MOST))))
    if isinstance(value, float):
        with np.errstate(over="ignore"):  # what has no place in 32 bits is infinite
            return _field(2, _field(1, np.array(value, "<f4").tobytes()))
    content = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    return _field(1, _field(1, content))


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | LENGTH_DELIMITED) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
