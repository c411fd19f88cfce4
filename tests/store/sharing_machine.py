"""A machine that shares an artifact of a few pictures with others."""

from pipeline.store.artifacts import Artifact, ArtifactStore
from pipeline.store.digest import of_bytes
from pipeline.store.jsonl import write_rows
from pipeline.store.manifest import Manifest, list_files, list_folders
from pipeline.store.remote_artifacts import RemoteArtifacts

KEY = "1a2b3c4d5e6f" + "0" * 52


class Machine:
    """One machine with its own folder, and the store that it shares."""

    def __init__(self, folder, store) -> None:
        self.artifacts = ArtifactStore(folder, RemoteArtifacts(store, "cats/normalize"))

    def make(
        self, text="one", *, key=KEY, forced="", run="run", unfinished="", latest=False, created="", pictures=5
    ) -> Artifact:
        work = self.artifacts.work(key, resume=False)
        (work / "images").mkdir()
        (work / "sheets").mkdir()
        rows = []
        for number in range(pictures):
            data = f"picture {number}".encode()
            (work / "images" / f"{number}.png").write_bytes(data)
            rows.append({"id": str(number), "file": f"images/{number}.png", "sha256": of_bytes(data)})
        write_rows(work / "images.jsonl", rows)
        (work / "sheets" / "kept.txt").write_text(text)
        made = Manifest(
            stage="normalize",
            version=1,
            dataset="cats",
            key=key,
            options={},
            inputs={},
            outputs={"text": text},
            files=list_files(work, pictures="images"),
            folders=list_folders(work, "images"),
            run=run,
            forced=forced,
            created=created or f"{run} {text}",
            unfinished=unfinished,
        )
        return self.artifacts.publish(work, made, latest=latest)

    def find(self, key=KEY, **wanted) -> Artifact | None:
        return self.artifacts.find(key, **wanted)
