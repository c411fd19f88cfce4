"""Write shards of pictures into a folder that a person chose, as `export_folder` writes pictures.

A shard's SHA-256 is known when it is written, so `export.json` also has the digest of what each is made from
(`made_from`): a later export makes only those again that would be others.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from pipeline.progress import Progress
from pipeline.report.export_folder import Earlier, ExportKind, is_finished, remove_others, write_about
from pipeline.report.export_layouts import Shard
from pipeline.store.atomic import open_whole
from pipeline.store.digest import HashingFile


def write_shards(
    folder: Path,
    shards: Sequence[Shard],
    *,
    earlier: Earlier | None,
    export: ExportKind,
    artifacts: Mapping[str, Path],
    progress: Progress,
) -> None:
    """Make `folder` the export of `shards`; the arguments and errors are those of `export_folder.write_export`."""
    before = earlier or Earlier()
    made_from = {shard.name: shard.source for shard in shards}
    kept = {
        name: before.files[name]
        for name, source in made_from.items()
        if before.made_from.get(name) == source and name in before.files and (folder / name).exists()
    }
    about = {**export.about(artifacts), "finished": False, "made_from": made_from}
    if is_finished(folder, {**about, "finished": True, "files": kept}) and kept.keys() == made_from.keys():
        return
    folder.mkdir(parents=True, exist_ok=True)
    # Shards that are to be replaced are made from other pictures until they are deleted
    write_about(folder, {**about, "made_from": before.made_from, "files": before.files})
    remove_others(folder, before, kept)
    write_about(folder, {**about, "files": kept})
    for number, shard in enumerate(shards):
        progress(number, len(shards), shard.name)
        if shard.name not in kept:
            with open_whole(folder / shard.name, sync=False) as file:
                hashing = HashingFile(file)
                shard.write(cast(BinaryIO, hashing))
                # Before the shard gets its name, as the list has all files that are there at each moment
                kept[shard.name] = hashing.hexdigest()
                write_about(folder, {**about, "files": {name: kept[name] for name in made_from if name in kept}})
    write_about(folder, {**about, "finished": True, "files": {name: kept[name] for name in made_from}})
