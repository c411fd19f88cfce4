"""Files that several machines share, at any address of fsspec: s3://bucket/prefix, /folder, file:///folder.

An object store has no folders and no rename, its listing may lag, and a put may fail half-way. So what is here is
little: whole files that are written, or created only if nobody did so before. fsspec
(https://filesystem-spec.readthedocs.io) reaches the store; s3fs is one of its packages.

A name is never a pattern, whatever characters it has: strangers may write into the store too. Of fsspec only methods
are used that do not expand `*`, `?` and `[`.
"""

import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pipeline.errors import UserError
from pipeline.text import error_line

T = TypeVar("T")

PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}
INSTALL = "`make storage` installs what S3 needs (requirements-storage.txt)"
TRIES, PAUSE = 3, 0.5  # of a request that fails, and seconds before the second try, doubled before the third
LONGEST = 200  # characters of a message of the store that are shown
MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)  # there is no file of that name


class StoreFault(UserError):
    """The store cannot be reached, or refuses what is asked of it."""


class StoredFile(NamedTuple):
    """A file of a store: its name, its bytes, and when it was written, with a time zone."""

    name: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class ObjectStore:
    """The files below one address. Names have forward slashes. Any thread may use it."""

    address: str
    system: Any  # fsspec's file system
    root: str  # as the file system calls the address

    def read(self, name: str, *, most: int | None = None) -> bytes | None:
        """The content of a file, of a longer one the first `most` bytes; None if there is none."""

        def read() -> bytes | None:
            path = self._path(name)
            part = {} if most is None else {"start": 0, "end": most}
            try:
                return bytes(self.system.cat_file(path, **part))
            except MISSING:
                return None
            except Exception:
                if part and self.system.info(path)["size"] == 0:  # some stores have no part of an empty file
                    return b""
                raise

        return self._tried(read)

    def write(self, name: str, data: bytes) -> None:
        """Make `data` the content of a file."""
        self._tried(lambda: self._put(name, data))

    def create(self, name: str, data: bytes) -> bool:
        """Make `data` the content of a new file; false, and nothing changes, if there is one.

        Of several machines that do so at once one succeeds, if the store has conditional puts, as S3 has.
        """
        path = self._path(name)
        if self._is_local:
            return self._create_local(Path(path), data)

        def create() -> bool:
            try:
                self.system.pipe_file(path, data, mode="create")
                return True
            except FileExistsError:
                with suppress(*MISSING):  # deleted since then
                    return self.system.cat_file(path) == data  # a try that seemed to fail may have written it
                return False

        return self._tried(create)

    def upload(self, source: Path, name: str) -> None:
        """Copy the local file `source` to `name`, whole or not at all."""

        def put() -> None:
            if not self._is_local:
                self.system.put_file(str(source), self._path(name))
                return
            with self._draft(name) as draft:
                self.system.put_file(str(source), draft)

        self._tried(put)

    def download(self, name: str, target: Path) -> bool:
        """Copy the file `name` to the local file `target`; false if there is none."""

        def get() -> bool:
            if self._is_local and Path(self._path(name)).is_dir():
                return False
            try:
                self.system.get_file(self._path(name), str(target))
            except MISSING:
                return False
            return True

        return self._tried(get)

    def file(self, name: str) -> StoredFile | None:
        """The file `name`; None if there is none."""

        def look() -> StoredFile | None:
            path = self._path(name)
            info = self._info(path)
            return StoredFile(name, int(info["size"]), self._modified(path, info)) if info else None

        return self._tried(look)

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is none."""

        def size() -> int | None:
            info = self._info(self._path(name))
            return int(info["size"]) if info else None

        return self._tried(size)

    def renew(self, name: str) -> bool:
        """Make the file's time of writing the present one; false if the store cannot, or there is no such file."""
        path = self._path(name)
        try:
            if self._is_local:
                os.utime(path)
                return True
            if self._is_s3:  # a copy of an object onto itself, which the service makes
                self.system.cp_file(path, path, MetadataDirective="REPLACE")
                return True
        except Exception:  # whatever it is: the caller writes the file again
            return False
        return False

    def names(self, folder: str) -> list[str]:
        """What is directly in `folder`, files and folders by their last names; the listing of some stores lags."""

        def names() -> list[str]:
            self.system.invalidate_cache()
            with suppress(FileNotFoundError, NotADirectoryError):
                found = self.system.ls(self._path(folder), detail=False)
                return sorted({str(path).rstrip("/").rpartition("/")[2] for path in found})
            return []

        return self._tried(names)

    def files(self, folder: str) -> list[StoredFile]:
        """Every file in `folder` and below, with its path from there."""

        def files() -> list[StoredFile]:
            self.system.invalidate_cache()
            place = self._path(folder)
            found = self.system.find(place, detail=True)
            return [
                StoredFile(str(path)[len(place) + 1 :], int(info["size"]), self._modified(path, info))
                for path, info in found.items()
            ]

        return self._tried(files)

    def _info(self, path: str) -> dict[str, Any] | None:
        """What the file system says of a file; None if there is none."""
        self.system.invalidate_cache()
        try:
            info: dict[str, Any] = self.system.info(path)
        except MISSING:
            return None
        return None if info["type"] == "directory" else info

    def _modified(self, path: str, info: dict[str, Any]) -> datetime:
        return info.get("LastModified") or self.system.modified(path)

    def delete(self, name: str) -> None:
        """Delete a file, or a folder with all that is in it; nothing if there is none."""

        def delete() -> None:
            self.system.invalidate_cache()
            path = self._path(name)
            if self._is_local and Path(path).is_dir() and not Path(path).is_symlink():
                shutil.rmtree(path)
                return
            for each in [path] if self._is_local else self.system.find(path):  # by its exact name
                self._delete_path(each)

        self._tried(delete)

    def delete_file(self, name: str) -> None:
        """Delete the file of exactly this name; nothing if there is none."""
        self._tried(lambda: self._delete_path(self._path(name)))

    def _delete_path(self, path: str) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            self.system.rm_file(path)

    @property
    def shown(self) -> str:
        """The address for people."""
        return without_password(self.address)

    @property
    def _is_local(self) -> bool:
        return self._speaks("file")

    @property
    def _is_s3(self) -> bool:
        return self._speaks("s3")

    def _speaks(self, protocol: str) -> bool:
        spoken = self.system.protocol
        return protocol == spoken if isinstance(spoken, str) else protocol in spoken

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}".rstrip("/")

    def _put(self, name: str, data: bytes) -> None:
        if not self._is_local:
            self.system.pipe_file(self._path(name), data)
            return
        with self._draft(name) as draft:
            Path(draft).write_bytes(data)

    def _create_local(self, path: Path, data: bytes) -> bool:
        with self._faults():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{uuid.uuid4().hex}")
            try:
                draft.write_bytes(data)
                return _take_name(draft, path)
            finally:
                draft.unlink(missing_ok=True)

    @contextmanager
    def _draft(self, name: str) -> Iterator[str]:
        """A path that takes the place of `name` at the end, as a folder of a disk shows half-written files."""
        path = Path(self._path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{uuid.uuid4().hex}")
        try:
            yield str(draft)
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)

    def _tried(self, work: Callable[[], T]) -> T:
        for number in range(TRIES - 1):
            try:
                return work()
            except PermissionError:
                break  # the same again
            except Exception:
                time.sleep(PAUSE * 2**number)
        with self._faults():
            return work()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Any error of the store and the libraries that reach it is a `StoreFault`: it is no fault of this program."""
        try:
            yield
        except Exception as error:
            what = without_password(error_line(error, LONGEST))
            raise StoreFault(
                f"storage {self.shown}: {what}; check the address, the network and the rights, then run again: what"
                " is made is kept"
            ) from error


def _take_name(draft: Path, path: Path) -> bool:
    """Give the file `draft` the name `path`, if nothing has it."""
    try:
        os.link(draft, path)
        return True
    except FileExistsError:
        return draft.samefile(path)  # NFS may have lost the answer to a link that it made
    except OSError:
        pass  # exFAT, SMB and others have no links
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    try:
        os.replace(draft, path)
    except BaseException:
        path.unlink()
        raise
    return True


def without_password(address: str) -> str:
    """The address without the user and password that it may have, as in ftp://user:password@host/folder."""
    return re.sub(r"://[^/\s]*@", "://", address)


def open_store(address: str) -> ObjectStore:
    """The store at `address`. Errors: `UserError` for an address that fsspec does not know, or a missing package."""
    return _open_store(address, os.getpid())


@lru_cache(maxsize=16)
def _open_store(address: str, process: int) -> ObjectStore:
    """The store, as this `process` reaches it: the threads of fsspec do not survive a fork."""
    import fsspec
    from fsspec.registry import known_implementations

    if address.startswith("~"):
        address = os.path.expanduser(address)
    protocol = match[1] if (match := re.match(r"([a-z0-9+]+)://", address)) else "file"
    try:
        system, root = fsspec.core.url_to_fs(
            address if "://" in address else str(Path(address).absolute()), skip_instance_cache=True
        )
    except ImportError:
        package = PACKAGES.get(protocol, "")
        hint = INSTALL if package == "s3fs" else f"install it: .venv/bin/pip install {package}"
        if not package:  # fsspec says which
            hint = str(known_implementations.get(protocol, {}).get("err", "")) or "install it"
        raise UserError(
            f"storage = {without_password(address)}: {package or f'the package for {protocol}://'} is missing; {hint}"
        ) from None
    except ValueError as error:
        what = error_line(error, LONGEST)
        raise UserError(
            f"storage = {without_password(address)}: {what}; give /folder, or an address such as s3://bucket/prefix"
        ) from None
    except Exception as error:  # of a package that connects at once
        what = error_line(error, LONGEST)
        raise StoreFault(f"storage = {without_password(address)}: {what}; check the address and the network") from error
    root = str(root).rstrip("/")
    return ObjectStore(root if protocol == "file" else address.rstrip("/"), system, root)
