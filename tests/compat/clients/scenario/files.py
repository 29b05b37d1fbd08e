"""Files of a run: logged in every way the client has, listed, and read back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import mlflow
import mlflow.artifacts
import numpy as np
import pandas as pd
from click.testing import CliRunner
from mlflow.cli import cli
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from PIL import Image

from scenario.steps import Scene, equal, step, truth

STEPS = (0, 23, 92, 200)
"""Steps of images; behind a percent sign each looks like something else."""


def read_back(scene: Scene, run_id: str, path: str) -> Path:
    """Download one file or folder of a run into a folder of its own."""
    target = scene.folder / scene.name("download")
    target.mkdir()
    return Path(
        mlflow.artifacts.download_artifacts(
            artifact_uri=f"runs:/{run_id}/{path}", dst_path=str(target)
        )
    )


@step()
def log_artifact(scene: Scene) -> None:
    """Text, bytes, nothing at all, odd names: what went up comes down."""
    scene.new_experiment("files")
    contents = {
        "plain.txt": b"one\ntwo\n",
        "binary.bin": bytes(range(256)) * 4096,
        "empty.dat": b"",
        "mit Leerzeichen & größer 文.csv": "a,ä\n1,2\n".encode(),
        "plus+equals=[1].txt": b"escaped?",
    }
    folder = scene.folder / scene.name("single")
    folder.mkdir()
    with mlflow.start_run() as active:
        for name, content in contents.items():
            (folder / name).write_bytes(content)
            mlflow.log_artifact(str(folder / name))
        mlflow.log_artifact(str(folder / "plain.txt"), artifact_path="deep/er")
    run_id = active.info.run_id
    listed = {each.path: each for each in scene.client.list_artifacts(run_id)}
    equal(sorted(listed), sorted([*contents, "deep"]), "files at the root")
    for name, content in contents.items():
        equal(listed[name].file_size or 0, len(content), f"size of {name}")
        equal(read_back(scene, run_id, name).read_bytes(), content, f"content of {name}")
    truth(listed["deep"].is_dir, "deep is a folder")
    deeper = scene.client.list_artifacts(run_id, "deep/er")
    equal([each.path for each in deeper], ["deep/er/plain.txt"], "files in a folder")
    equal(len(scene.client.list_artifacts(run_id, "no/such")), 0, "files in a missing folder")


@step()
def log_artifacts(scene: Scene) -> None:
    """A whole tree, logged, listed level by level, and downloaded again."""
    scene.new_experiment("tree")
    tree = scene.folder / scene.name("tree")
    contents = {"a.txt": "a", "sub/b.txt": "bb", "sub/deeper/c.txt": "ccc"}
    for path, text in contents.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    # Clients drop tabs, and blanks in front, from the names that they list, so the server does too.
    (tree / "sub/deeper/ tab\tbed.txt").write_text("dddd")
    contents["sub/deeper/tabbed.txt"] = "dddd"
    with mlflow.start_run() as active:
        mlflow.log_artifacts(str(tree))
        mlflow.log_artifacts(str(tree), artifact_path="copy")
    client, run_id = scene.client, active.info.run_id
    equal([each.path for each in client.list_artifacts(run_id)], ["a.txt", "copy", "sub"])
    equal([each.path for each in client.list_artifacts(run_id, "sub")], ["sub/b.txt", "sub/deeper"])
    for path in ("", "copy"):
        local = read_back(scene, run_id, path)
        for name, text in contents.items():
            equal((local / name).read_text(), text, f"{path}/{name}")
    if hasattr(client, "download_artifacts"):
        local = client.download_artifacts(run_id, "sub", str(scene.folder))
        equal((Path(local) / "deeper/c.txt").read_text(), "ccc")


@step()
def overwrite(scene: Scene) -> None:
    """Logging a file again replaces it."""
    scene.new_experiment("overwrite")
    with mlflow.start_run() as active:
        mlflow.log_text("first", "note.txt")
        mlflow.log_text("the second", "note.txt")
    run_id = active.info.run_id
    equal(read_back(scene, run_id, "note.txt").read_text(), "the second")
    equal([each.file_size for each in scene.client.list_artifacts(run_id)], [10], "size")


@step()
def missing_file(scene: Scene) -> None:
    """Downloading what is not there fails and leaves no file."""
    run_id = scene.client.create_run(scene.new_experiment("missing")).info.run_id
    try:
        local = read_back(scene, run_id, "not/here.txt")
    except Exception as error:
        scene.note(f"{type(error).__name__}: {str(error).splitlines()[0][:120]}")
        return
    raise AssertionError(f"a missing file was downloaded to {local}")


@step()
def log_text_and_dict(scene: Scene) -> None:
    """log_text and log_dict, read with load_text and load_dict."""
    scene.new_experiment("text")
    with mlflow.start_run() as active:
        mlflow.log_text("Grüße\n", "notes/greeting.txt")
        mlflow.log_dict({"a": [1, 2], "ß": None}, "conf.json")
        mlflow.log_dict({"k": "v"}, "conf.yaml")
    uri = f"runs:/{active.info.run_id}"
    equal(mlflow.artifacts.load_text(f"{uri}/notes/greeting.txt"), "Grüße\n")
    equal(mlflow.artifacts.load_dict(f"{uri}/conf.json"), {"a": [1, 2], "ß": None})
    equal(read_back(scene, active.info.run_id, "conf.yaml").read_text().strip(), "k: v")


@step()
def log_figure(scene: Scene) -> None:
    """A matplotlib figure becomes a PNG, or the kind its name says."""
    scene.new_experiment("figure")
    figure, axes = plt.subplots()
    axes.plot([0, 1, 2], [2, 0, 1])
    with mlflow.start_run() as active:
        mlflow.log_figure(figure, "plots/line.png")
        mlflow.log_figure(figure, "line.svg")
    plt.close(figure)
    run_id = active.info.run_id
    equal(read_back(scene, run_id, "plots/line.png").read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
    truth("<svg" in read_back(scene, run_id, "line.svg").read_text(), "the SVG is one")


@step()
def log_image(scene: Scene) -> None:
    """Images from numpy and pillow; newer clients also by key and step."""
    scene.new_experiment("image")
    pixels: Any = np.zeros((8, 12, 3), dtype=np.uint8)
    pixels[2:4] = (255, 128, 0)
    with mlflow.start_run() as active:
        mlflow.log_image(pixels, "array.png")
        mlflow.log_image(Image.fromarray(pixels), "pillow.png")
        if scene.at_least("2.11"):
            # Clients of 2.x write the step behind a percent sign: 23 looks like a # then.
            for number in STEPS:
                mlflow.log_image(pixels, key="sample", step=number, synchronous=True)
    run_id = active.info.run_id
    for name in ("array.png", "pillow.png"):
        with Image.open(read_back(scene, run_id, name)) as image:
            equal((image.size, np.asarray(image)[2, 0].tolist()), ((12, 8), [255, 128, 0]))
    if scene.at_least("2.11"):
        names = [each.path for each in scene.client.list_artifacts(run_id, "images")]
        equal(len(names), 2 * len(STEPS), f"by key (a full one and a small one each), {names}")
        for number in STEPS:
            named = [name for name in names if f"/sample+step+{number}+timestamp+" in name]
            equal(len(named), 2, f"images of step {number} among {names}")
        for name in names:
            with Image.open(read_back(scene, run_id, name)) as image:
                # The small one is scaled by the client to a size of its own.
                equal(image.format, "PNG" if name.endswith(".png") else "WEBP", name)


@step(since="2.4")
def log_table(scene: Scene) -> None:
    """Tables grow row by row, and are read back over runs."""
    experiment_id = scene.new_experiment("table")
    with mlflow.start_run() as active:
        mlflow.log_table({"q": ["one", "two"], "score": [0.5, 0.75]}, "eval.json")
        mlflow.log_table(pd.DataFrame({"q": ["three"], "score": [1.0]}), "eval.json")
    table = mlflow.load_table("eval.json", [active.info.run_id], extra_columns=["run_id"])
    equal(list(table["q"]), ["one", "two", "three"])
    equal(list(table["score"]), [0.5, 0.75, 1.0])
    equal(set(table["run_id"]), {active.info.run_id})
    mlflow.set_experiment(experiment_id=experiment_id)
    equal(len(mlflow.load_table("eval.json")), 3, "rows over the experiment's runs")
    tag = json.loads(mlflow.get_run(active.info.run_id).data.tags["mlflow.loggedArtifacts"])
    equal(tag, [{"path": "eval.json", "type": "table"}])


@step()
def several_megabytes(scene: Scene) -> None:
    """A larger file streams up and down unharmed."""
    scene.new_experiment("large")
    content = os.urandom(1 << 20) * 24
    path = scene.folder / scene.name("large")
    path.write_bytes(content)
    with mlflow.start_run() as active:
        mlflow.log_artifact(str(path), "weights")
    local = read_back(scene, active.info.run_id, f"weights/{path.name}")
    truth(local.read_bytes() == content, "24 MiB came back as they went")


@step()
def delete_artifacts(scene: Scene) -> None:
    """A run's file can be deleted through the repository that its address names."""
    scene.new_experiment("shred")
    with mlflow.start_run() as active:
        mlflow.log_text("x", "keep.txt")
        mlflow.log_text("x", "old/drop.txt")
    repository = get_artifact_repository(active.info.artifact_uri)
    repository.delete_artifacts("old/drop.txt")
    left = [each.path for each in scene.client.list_artifacts(active.info.run_id, "old")]
    equal(left, [], "files left in the folder")
    equal(read_back(scene, active.info.run_id, "keep.txt").read_text(), "x")


@step()
def command_line(scene: Scene) -> None:
    """The client's own command line lists and fetches through the server."""
    experiment_id = scene.new_experiment("commands")
    with mlflow.start_run() as active:
        mlflow.log_metric("m", 1.0)
        mlflow.log_text("by command", "said.txt")
    run_id = active.info.run_id

    def command(*words: str) -> str:
        answer = CliRunner().invoke(cli, list(words), catch_exceptions=False)
        equal(answer.exit_code, 0, f"exit code of {words}: {answer.output}")
        return str(answer.output)

    truth("said.txt" in command("artifacts", "list", "--run-id", run_id), "the file is listed")
    truth(run_id in command("runs", "list", "--experiment-id", experiment_id), "the run is listed")
    truth(run_id in command("runs", "describe", "--run-id", run_id), "the run is described")
    truth(run_id in command("experiments", "csv", "-x", experiment_id), "the run is in the CSV")
    command("artifacts", "download", "--run-id", run_id, "-a", "said.txt", "-d", str(scene.folder))
    equal((scene.folder / "said.txt").read_text(), "by command")
