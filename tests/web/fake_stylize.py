"""Stands in for `python -m tasks stylize`: writes what that writes, and goes on until a file lets it end.

`GATE stylize CONTENT STYLE... --out DIR [flags]`: works until the file GATE is there. With the text `failed: WHY` in
it, it fails.
"""

import json
import os
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
LONGEST = 50.0  # seconds
KEY = "a1b2c3d4e5f6"


class Output:
    """The folder that the command writes, with one picture."""

    def __init__(self, out: Path, content: str) -> None:
        self.out, self.content = out, content
        self.work = out / f".work-{KEY}"
        (self.work / "sheets").mkdir(parents=True, exist_ok=True)
        inputs = {"network": f"EfficientNetLite0 {'0' * 64}"}
        (self.work / "manifest.json").write_text(json.dumps({"inputs": inputs}))

    def step(self, number: int) -> None:
        """A sheet and a line of statistics."""
        from PIL import Image

        Image.new("RGB", (48, 16), (number, 0, 0)).save(self.work / "sheets" / f"step-{number:05d}.png")
        row = {"step": number, "size": 16, "content": 1.0, "style": 10.0 / (number + 1), "variation": 0.1}
        with (self.work / "stats.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def finish(self) -> None:
        """Publish the picture."""
        from PIL import Image

        Image.new("RGB", (16, 16), (9, 9, 9)).save(self.work / "picture.png")
        Image.new("RGB", (16, 16)).save(self.work / "film.gif")
        (self.work / "README.md").write_text("# A picture")
        self.work.rename(self.out / KEY)

    def tell(self, state: str, folder: str) -> None:
        """Write state.json."""
        row = {"content": self.content, "state": state, "folder": folder, "picture": f"{self.content}.png"}
        (self.out / "state.json").write_text(json.dumps({"state": "working", "results": [row]}))


def main() -> int:
    from tests.web.fake_tasks import Record

    gate, words = Path(sys.argv[1]), sys.argv[2:]
    with gate.with_suffix(".runs").open("a") as file:
        file.write(" ".join(words) + "\n")
    content, out = words[1], Path(words[words.index("--out") + 1])
    record = Record(out / "runs" / f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S-%f}")
    signal.signal(signal.SIGINT, lambda *_: end(record, "stopped", "stopped in step 2"))
    name = content.partition(":")[2] or next(path.stem for path in Path(content).iterdir())
    output = Output(out, name)
    record.add("plan", until="stylize", stages=["stylize"])
    record.add("stage_start", stage="stylize", key=KEY)
    output.tell("working", output.work.name)
    for number in range(3):
        output.step(number)
    record.add("progress", stage="stylize", done=2, total=4, note="steps at 16 px")
    for _ in range(int(LONGEST / 0.05)):
        if gate.exists():
            break
        time.sleep(0.05)
    how = gate.read_text() if gate.exists() else "failed: nobody opened the gate"
    if why := how.partition("failed: ")[2]:
        end(record, "failed", why)
    output.finish()
    output.tell("made", KEY)
    record.add("stage", stage="stylize", outcome="ran", made="a picture", seconds=1.0)
    record.add("end", outcome="done")
    return 0


def end(record, outcome: str, error: str) -> None:
    record.add("stage", stage="stylize", outcome=outcome, error=error)
    record.add("end", outcome=outcome, error=error)
    os._exit(130 if outcome == "stopped" else 1)


if __name__ == "__main__":
    sys.exit(main())
