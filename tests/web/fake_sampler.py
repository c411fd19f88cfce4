"""Stands in for `python -m tasks sampler`: answers with pictures of one colour, and loads no network library.

`python fake_sampler.py [LOG] sampler`: each question is appended to LOG. A seed can ask for a fault.
"""

import json
import os
import sys
import time
from pathlib import Path

from PIL import Image

REFUSED, DIES, HANGS = 404, 500, 504  # seeds


def answer(question: dict) -> dict:
    """What the sampler answers."""
    seed, folder = question["seed"], Path(question["folder"])
    if seed == REFUSED:
        return {"error": "this generator is damaged"}
    if seed == DIES:
        print("error: memory ran out", file=sys.stderr)
        os._exit(3)
    if seed == HANGS:
        time.sleep(60)
    if question["kind"] == "nearest":
        ids = [json.loads(line)["id"] for line in (Path(question["kept"]) / "scores.jsonl").read_text().splitlines()]
        near = [{"id": id, "distance": 0.5 + place} for place, id in enumerate(ids[:5])]
        return {"rows": [{"sample": question["first"], "nearest": near}]}
    first, count = {
        "draw": (question.get("first", 0), question.get("count", 0)),
        "walk": (0, question.get("frames", 0)),
    }.get(question["kind"], (0, 1))
    names = [f"{number:05d}.png" for number in range(first, first + count)]
    if question["kind"] == "tile":
        names = ["tile.png"]
    for number, name in enumerate(names, start=first):
        Image.new("RGB", (16, 16), (number % 256, seed % 256, 90)).save(folder / name)
    return {"files": names}


def main() -> None:
    """Answer each line of the input."""
    log = Path(sys.argv[1]).with_suffix(".jsonl") if len(sys.argv) > 2 else None
    for line in sys.stdin:
        if log:
            with log.open("a", encoding="utf-8") as file:
                file.write(line)
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
