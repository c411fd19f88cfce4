"""Files in the form that PyTorch wrote before 1.6, made here without it."""

import hashlib
import io
import os
import pickle
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest

from pipeline.store.npz import DamagedFile, ForeignFile
from pipeline.store.torch_file import MAGIC, VERSION, read_arrays

ARRAYS = {
    "weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1),  # strides of their own
    "bias": np.array([1.5, -2], np.float32),
    "steps": np.array(7),
}


class _Storage:
    def __init__(self, key, numbers):
        self.key, self.numbers = key, numbers


class _Tensor:
    def __init__(self, rebuild, *arguments):
        self.rebuild, self.arguments = rebuild, arguments

    def __reduce__(self):
        return self.rebuild, self.arguments


class _Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if not isinstance(value, _Storage):
            return None
        kind = (
            sys.modules["torch"].FloatStorage if value.numbers.dtype == np.float32 else sys.modules["torch"].LongStorage
        )
        return ("storage", kind, value.key, "cpu", len(value.numbers), None)


@pytest.fixture
def torch(monkeypatch):
    """Modules with the names that a file of PyTorch mentions."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*_):
        raise AssertionError("the file's functions are called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = torch.rebuild = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return torch


def save(torch, arrays, *, shape=None):
    """The bytes of such a file; `shape` replaces that of every array."""
    file, blocks, views = io.BytesIO(), [], OrderedDict()
    for key, (name, array) in enumerate(arrays.items()):
        numbers = np.ascontiguousarray(array.transpose(np.argsort(array.strides)[::-1])).ravel()
        blocks.append(_Storage(str(key), numbers))
        strides = tuple(stride // array.itemsize for stride in array.strides)
        views[name] = _Tensor(torch.rebuild, blocks[-1], 0, shape or array.shape, strides, False, OrderedDict())
    views._metadata = OrderedDict(version=1)
    for value in (MAGIC, VERSION, {"little_endian": True}, views, [block.key for block in blocks]):
        _Pickler(file, 2).dump(value)
    for block in blocks:
        file.write(np.int64(len(block.numbers)).tobytes() + block.numbers.tobytes())
    return file.getvalue()


@pytest.fixture
def read(tmp_path):
    """`read(body)` reads a file of these bytes under its own SHA-256."""

    def read(body):
        path = tmp_path / "weights.pth"
        path.write_bytes(body)
        return read_arrays(path, sha256=hashlib.sha256(body).hexdigest())

    return read


def test_arrays_are_read_with_their_names_strides_and_types(torch, read):
    found = read(save(torch, ARRAYS))
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert np.array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_another_sha256_is_refused_before_anything_is_read(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(MAGIC))
    with pytest.raises(DamagedFile, match="another SHA-256"):
        read_arrays(path, sha256="0" * 64)
    with pytest.raises(DamagedFile, match="cannot be read"):
        read_arrays(tmp_path / "none", sha256="0" * 64)


class _Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("place", [0, 2, 3])
def test_a_pickle_that_calls_something_is_refused(place, read, tmp_path):
    values = [MAGIC, VERSION, {"little_endian": True}, {}, []]
    values[place] = _Hostile(tmp_path / "made")
    with pytest.raises(ForeignFile, match="mkdir"):
        read(b"".join(pickle.dumps(value, 2) for value in values))
    assert not (tmp_path / "made").exists()


def test_what_is_truncated_or_of_another_form_is_refused(torch, read):
    body = save(torch, ARRAYS)
    for wrong in (body[:-1], body[:100], b"", b"PK\x03\x04", pickle.dumps(MAGIC) + pickle.dumps(1002)):
        with pytest.raises(DamagedFile):
            read(wrong)
    with pytest.raises(ForeignFile, match="something else than arrays"):
        read(b"".join(pickle.dumps(value, 2) for value in (MAGIC, VERSION, {"little_endian": True}, {"a": 1}, [])))


@pytest.mark.parametrize("shape", [(100,), (-1,), (2, 2), ("x",)])
def test_an_array_beyond_its_numbers_is_refused(shape, torch, read):
    with pytest.raises(DamagedFile, match="describes an array"):
        read(save(torch, {"bias": ARRAYS["bias"]}, shape=shape))
