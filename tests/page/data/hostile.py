"""What nobody should log, and somebody will: names, tags, keys and files that are hostile or huge."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from pictures import png

SCRIPT = "<img src=x onerror='window.hacked=1'><script>window.hacked=2</script>"
LONG = "long name " * 40
MODEL = f"{SCRIPT.replace('/', '').replace(':', '')} مرحبا 🥕"
KEYS = 12_000
TEXT_BYTES = 2 << 30


def write(folder: Path) -> None:
    """Files that would run, cannot be shown, or are too large to be."""
    (folder / "page.html").write_text(f"<!doctype html><body>{SCRIPT}</body>")
    (folder / "evil.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" onload="parent.hacked=3"><script>'
        "parent.hacked=4;top.hacked=5</script><rect width='9' height='9'/></svg>"
    )
    (folder / "evil.md").write_text(f"# Fine\n\n{SCRIPT}\n\n[click](javascript:window.hacked=6)\n")
    (folder / "evil.json").write_text('{"__proto__": {"hacked": 7}, "a": "</script>"}')
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n but no picture")
    (folder / "huge.png").write_bytes(png(10_000, 10_000))
    with (folder / "huge.txt").open("wb") as file:
        file.write(b"The first line of many\n" * 20_000)
        file.truncate(TEXT_BYTES)


def main() -> None:
    """A run with 12,000 metrics, one with hostile files, and a model registered from it."""
    client = MlflowClient()
    experiment = client.create_experiment(LONG.strip())
    wide = client.create_run(experiment, run_name="wide").info.run_id
    keys = [f"layer.{n % 200}/grad.{n}" for n in range(KEYS)]
    for start in range(0, KEYS, 1000):
        metrics = [Metric(key, float(start), 1, 0) for key in keys[start : start + 1000]]
        client.log_batch(wide, metrics)
    client.set_terminated(wide)
    run = client.create_run(experiment, run_name=SCRIPT).info.run_id
    client.log_batch(
        run,
        [Metric("loss", 1.0, 1, 0)],
        [Param("note", SCRIPT), Param("constructor", "x"), Param("__proto__", "y")],
        [RunTag("note", SCRIPT), RunTag("rtl", "\u202eabc مرحبا"), RunTag("long", LONG)],
    )
    with tempfile.TemporaryDirectory() as place:
        write(Path(place))
        client.log_artifacts(run, place, "model")
    client.set_terminated(run)
    client.create_registered_model(MODEL, description=SCRIPT)
    client.create_model_version(
        MODEL, f"runs:/{run}/model", run, tags={"note": SCRIPT, "rtl": "\u202eabc مرحبا 🥕"}
    )
    client.create_registered_model(LONG.strip(), description=LONG)


if __name__ == "__main__":
    main()
