"""Makes the artifact of a stage: takes the locks, works in a temporary folder, publishes and records it.

The work is done here, in a process of its own if it loads TensorFlow, or on a worker of a cluster.
"""

import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline.cluster.client import Cluster
from pipeline.errors import DamagedState, disk_faults
from pipeline.progress import TellingProgress
from pipeline.result import Result
from pipeline.store import manifest as manifests
from pipeline.store.manifest import Manifest, list_files, list_folders
from pipeline.store.object_store import open_store
from tasks import cluster_stage, error_text, isolation, locks, luigid, machines, run_log, signals
from tasks.stage_reporter import StageReporter

if TYPE_CHECKING:
    from tasks.stage_task import StageTask


def make_artifact(task: "StageTask") -> None:
    """Publish the artifact of `task`, unless another run does so first."""
    record = run_log.record(task.dataset, task.run_name)
    with signals.listening(), run_log.logging_to(record.log), disk_faults(task.artifact_store.root):
        # The key is known: Luigi runs a stage when its inputs are there. While the stage waits for a lock, another run
        # may change its inputs: then it needs another key
        while not _make_if_missing(task, cast(str, task.key()), record):
            continue


def _make_if_missing(task: "StageTask", key: str, record: run_log.RunLog) -> bool:
    """Make the artifact `key`, if it is missing, once the locks are free; false if another key is needed then."""
    with ExitStack() as stack:
        shared = machines.shared_lock(task.dataset, task.stage, key)
        trains = task.trains and not machines.trains_elsewhere(task.dataset)
        for lock, reason in locks.of_stage(task.artifact_store.lock(key), shared, trains=trains):
            notify = partial(record.add_and_print, "wait", stage=task.stage, reason=reason)
            stack.enter_context(locks.acquire(lock, notify))
        if task.key() != key:
            return False
        if not task.complete():
            if damage := task.artifact_store.damage(key):
                record.add_and_print("note", stage=task.stage, text=f"{damage}; it is made again")
            _make_and_report(task, key, record)
        return True


def _make_and_report(task: "StageTask", key: str, record: run_log.RunLog) -> None:
    """Make the artifact `key`; report its start, its progress, and its success or failure."""
    reporter = StageReporter(record, task.stage, partial(luigid.show_progress, task))
    try:
        with disk_faults(task.artifact_store.root), task.shown(key):
            manifest = _work_and_publish(task, key, record, reporter)
    except BaseException as error:
        why = error_text.with_dataset_flag(error_text.one_line(error), task.dataset)
        reporter.failed(error_text.outcome_of(error), why, key)
        if isinstance(error, DamagedState):
            _drop_damaged(task, record)
        raise
    reporter.made(manifest)


def _drop_damaged(task: "StageTask", record: run_log.RunLog) -> None:
    """Delete the artifacts that the stage reads and that have a damaged picture, which a look at the folder does not
    notice, so that the next run makes them again.
    """
    for each in task.stages_read():
        if (read := each.published()) and (read.folder / manifests.NAME).exists():
            try:
                manifests.check_pictures(read.manifest, read.folder)
            except OSError:  # one that cannot be read now may be sound
                continue
            except DamagedState as damage:
                each.artifact_store.discard(read.folder)
                record.add_and_print("note", stage=each.stage, text=f"{damage}; the next run makes it again")


def _work_and_publish(task: "StageTask", key: str, record: run_log.RunLog, reporter: StageReporter) -> Manifest:
    """Do the work in a folder of its own and publish that folder, here or on a worker of a cluster."""
    if "gpu" in task.resources and (cluster := machines.trains_elsewhere(task.dataset)):
        return _make_on_cluster(task, key, record, reporter, cluster)
    began = time.monotonic()
    # Before the work: the inputs may change during hours of it
    draft = draft_manifest(task, key)
    folder = task.artifact_store.work(key, resume=task.resumable)
    if task.resumable:  # so that it is known what a stopped run was making
        manifests.write(draft, folder)
    reporter.started(key)
    result = _work(task, folder, record, reporter)
    manifest = replace(
        draft,
        outputs=result.outputs,
        summary=_with_notices(result.summary, task.notices_of(result.outputs)),
        unfinished=result.unfinished,
        files=list_files(folder, pictures=task.pictures),
        folders=list_folders(folder, task.pictures),
        created=datetime.now(timezone.utc).isoformat(),
        seconds=round(time.monotonic() - began, 2),
    )
    published = task.artifact_store.publish(folder, manifest, latest=not task.once)
    return task.artifact_store.share(published, reporter.progress).manifest


def _make_on_cluster(
    task: "StageTask", key: str, record: run_log.RunLog, reporter: StageReporter, cluster: Cluster
) -> Manifest:
    """Let a worker make the artifact, and fetch it."""
    reporter.started(key)
    order = cluster_stage.make_order(task, draft_manifest(task, key), cluster)
    progress = TellingProgress(reporter.progress, reporter.tell)
    cluster_stage.run_on_cluster(order, progress=progress, should_stop=signals.should_stop, log=record.log)
    if (found := task.published()) is None:
        raise DamagedState(
            f"storage {open_store(cluster.storage).shown}: what a worker has made for the stage {task.stage} is not"
            " there any more; run again"
        )
    made = task.artifact_store.bring(found, progress)
    manifest = made.manifest
    if notices := task.notices_of(manifest.outputs):  # about folders of this machine, which the worker does not have
        manifest = replace(manifest, summary=_with_notices(manifest.summary, notices))
        manifests.write(manifest, made.folder)
    if not task.once:
        task.artifact_store.point_latest(made.folder)
    return manifest


def _with_notices(summary: dict[str, Any], notices: list[str]) -> dict[str, Any]:
    return {**summary, "notices": [*summary.get("notices", ()), *notices]} if notices else summary


def draft_manifest(task: "StageTask", key: str) -> Manifest:
    """The manifest of `key` as far as it is known before the work."""
    return Manifest(
        stage=task.stage,
        version=task.version,
        dataset=task.dataset,
        key=key,
        options=task.options.significant(),
        inputs=task.inputs() or {},  # never None here: the key is known
        notes=task.notes(),
        versions=run_log.versions(),
        run=task.run_name,
        forced=task.forced_by,
    )


def _work(task: "StageTask", folder: Path, record: run_log.RunLog, reporter: StageReporter) -> Result:
    with machines.workers_print_into(record.log):
        arguments = {**task.arguments(), **task.folders()}
    work = partial(isolation.call_function, task.function, task.options, arguments)
    hooks: dict[str, Any] = {
        "progress": TellingProgress(reporter.progress, reporter.tell),
        "should_stop": signals.should_stop,
    }
    if task.isolated:
        return isolation.call(work, folder=folder, log=record.log.absolute(), **hooks)
    return work(folder=folder, **hooks)
