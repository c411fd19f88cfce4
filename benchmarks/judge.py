"""Compare the extractor that needs no download with an external network on samples of known quality, blur and noise.

    .venv/bin/python benchmarks/judge.py FOLDER --features DIR [--side 32] [--steps 200 500 2000 5000] [--looks FILE]
                                       [--extractor own] [--model dcgan]

FOLDER holds pictures (or is a file in the format of Fashion-MNIST). The definition from-scratch is trained on them, or
that of `--model`; the looks are its samples after each number of steps. `--features DIR` names a folder with a script
features.py, as for gan_quality.py: its `Extractor` gives the features of a network trained on ImageNet. `--looks` keeps
reals and looks in a file, and uses them from there if it exists. `--extractor own` compares textures instead of what
'auto' gives. The script prints both KIDs of each look, of blurred pictures and of noise, and whether each condition
holds; it ends with 1 if one does not.
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import cv2
import numpy as np
from scipy.stats import spearmanr

from benchmarks.gan_quality import coloured, read
from benchmarks.machine import machine
from pipeline.gan.evaluation.features import choose_extractor
from pipeline.gan.evaluation.metrics import Reference, Scores

SIGMAS = (1, 2, 4)  # of the blur, in pixels
NOISE = ("uniform noise", "Gaussian noise", "Gaussian noise of low contrast", "grey noise")
MAX_PRECISION, MIN_RANK, ERRORS = 0.05, 0.9, 2
Extract = Callable[[np.ndarray], np.ndarray]


def main() -> int:
    """Print the KIDs and the conditions."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--most", type=int, default=100_000, help="pictures to train on")
    parser.add_argument("--model", default="from-scratch", help="a definition by name")
    parser.add_argument("--steps", type=int, nargs="+", default=[200, 500, 2000, 5000])
    parser.add_argument("--looks", type=Path, help="file .npz for reals and looks")
    parser.add_argument("--extractor", default="auto", help="as gan.extractor")
    parser.add_argument("--count", type=int, default=400, help="pictures of each kind")
    given = parser.parse_args()
    sys.path.insert(0, str(given.features))
    import features

    network, judge = features.Extractor(), choose_extractor(given.extractor, None)
    reals, looks = load_or_train(given)
    first, second = halves(reals, given.count)
    kinds = {**looks, **blurs(second), **noises(reals, given.count)}
    print(machine(), "; ", f"{len(reals)} pictures of {reals.shape[1]} px, {reals.shape[3]} channels", sep="")
    own = score(first, kinds, judge.features)
    external = score(first, kinds, lambda found: network(list(coloured(found))))
    for kind in kinds:
        print(f"{kind:32s} {_figures(own[kind])}   {given.features.name}: {_figures(external[kind])}")
    failed = [name for name, holds in conditions(own, external, list(looks)).items() if not _say(name, holds)]
    print(f"rank correlation {rank(own, external, list(looks)):.3f} ({judge.name} with {given.features.name})")
    return bool(failed)


def load_or_train(given: argparse.Namespace) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The reals (N, S, S, C) uint8, and the looks (count, S, S, C) by name, in the order of the steps."""
    if given.looks and given.looks.exists():
        stored = np.load(given.looks)
        return stored["reals"], {name: stored[name][: given.count] for name in stored.files if name != "reals"}
    reals = read(given.folder, given.side)[: given.most]
    looks = train(reals, given.model, given.steps, given.count)
    if given.looks:
        np.savez(given.looks, reals=reals, **looks)
    return reals, looks


def train(reals: np.ndarray, model: str, steps: Sequence[int], count: int) -> dict[str, np.ndarray]:
    """Train `model`; returns `count` samples after each of `steps`."""
    from pipeline.gan import Dcgan

    gan, done, looks = Dcgan(reals, model, seed=0), 0, {}
    steps_of_epoch = max(1, len(reals) // gan.definition.batch)
    for number in sorted(steps):
        epochs = max(done + 1, round(number / steps_of_epoch))
        gan.train(reals, epochs=epochs - done)
        done = epochs
        looks[f"step{number}"] = gan.generate(latents=gan.sample_latents(count, seed=7))
    return looks


def blurs(reals: np.ndarray) -> dict[str, np.ndarray]:
    """The reals as they are, and blurred."""
    blurred = {
        f"blur {sigma} px": np.stack([cv2.GaussianBlur(each, (0, 0), sigma).reshape(each.shape) for each in reals])
        for sigma in SIGMAS
    }
    return {"reals": reals, **blurred}


def noises(reals: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Noise of four kinds, NOISE, each (count, S, S, C) uint8."""
    rng, shape = np.random.default_rng(0), (count, *reals.shape[1:])
    found = (
        rng.integers(0, 256, shape),
        rng.normal(reals.mean(axis=(0, 1, 2)), reals.std(axis=(0, 1, 2)), shape),
        rng.normal(128, 20, shape),
        np.broadcast_to(rng.normal(reals.mean(), reals.std(), (*shape[:3], 1)), shape),
    )
    return {name: np.clip(noise, 0, 255).astype(np.uint8) for name, noise in zip(NOISE, found, strict=True)}


def halves(reals: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of the reals, drawn at random, of at most `count` pictures each."""
    order = np.random.default_rng(1).permutation(len(reals))[: 2 * count]
    return reals[order[::2]], reals[order[1::2]]


def score(reals: np.ndarray, kinds: Mapping[str, np.ndarray], extract: Extract) -> dict[str, Scores]:
    """The scores of each kind against the reals."""
    reference = Reference(extract(reals).astype(np.float64))
    return {kind: reference.score(extract(pictures).astype(np.float64)) for kind, pictures in kinds.items()}


def conditions(own: Mapping[str, Scores], external: Mapping[str, Scores], looks: Sequence[str]) -> dict[str, bool]:
    """Each condition of a judge that cannot be fooled, and whether it holds for the scores `own`."""
    later = [(a, b) for number, a in enumerate(looks) for b in looks[number + 1 :] if falls(external[a], external[b])]
    kids = {kind: scores.kid or 0.0 for kind, scores in own.items()}
    blurred = [kids["reals"], *(kids[f"blur {sigma} px"] for sigma in SIGMAS)]
    return {
        "looks fall wherever those of the network fall": all(kids[b] < kids[a] for a, b in later),
        "noise is worse than every look": all(kids[n] > kids[look] for n in NOISE for look in looks),
        "blur raises the KID, in order": all(a < b for a, b in itertools.pairwise(blurred)),
        f"rank correlation above {MIN_RANK}": rank(own, external, looks) > MIN_RANK,
        f"precision of noise under {MAX_PRECISION}": all((own[n].precision or 0) < MAX_PRECISION for n in NOISE),
    }


def falls(before: Scores, after: Scores) -> bool:
    """Whether the KID falls by more than two standard errors."""
    assert None not in (before.kid, before.kid_error, after.kid, after.kid_error)
    return before.kid - after.kid > ERRORS * np.hypot(before.kid_error, after.kid_error)  # type: ignore[operator, arg-type]  # asserted above


def rank(own: Mapping[str, Scores], external: Mapping[str, Scores], looks: Sequence[str]) -> float:
    """Spearman's correlation of both KIDs over looks and blurred pictures."""
    kinds = [*looks, *(f"blur {sigma} px" for sigma in SIGMAS)]
    return float(spearmanr([own[kind].kid for kind in kinds], [external[kind].kid for kind in kinds])[0])


def _figures(scores: Scores) -> str:
    return f"KID {scores.kid:8.4f} ± {scores.kid_error:.4f}, precision {scores.precision:.2f}"


def _say(name: str, holds: bool) -> bool:
    print(f"{'holds' if holds else 'FAILS'}  {name}")
    return holds


if __name__ == "__main__":
    sys.exit(main())
