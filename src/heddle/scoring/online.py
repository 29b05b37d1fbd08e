"""The process that holds an endpoint's model: requests in, answers out, joined where that is safe.

Started confined by `endpoint`. Requests and answers are frames on a socket. Whatever has arrived
while the model predicted is taken up together: requests of plain rows become one call of the model,
bounded in rows, so one connection never waits for others and many share the cost of a call. Joined
are only models whose prediction for a row depends on that row alone, to the last bit (trees and
ensembles of them), and only after both ways gave the same bits here. What fails jointly is asked
again one by one, so a bad request fails alone.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from heddle.scoring import asked
from heddle.scoring.asked import Asked, Wrong
from heddle.scoring.endpoint import ANSWER, LOAD, REQUEST
from heddle.scoring.predictor import Predictor, explain, libraries
from heddle.scoring.signature import ModelInfo, read_model

BLOCK: Final = 1024 * 1024
JOINED_ROWS: Final = 4096
JOINED_REQUESTS: Final = 512
HELD_BYTES: Final = 16 * 1024**2
"""No more is read ahead while so much waits."""
REHEARSED_ROWS: Final = 512
COMPARED_ROWS: Final = 16
_TREES: Final = (
    "sklearn.tree._classes", "sklearn.ensemble._forest", "sklearn.ensemble._gb",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting",
)  # fmt: skip
_BY_VALUE: Final = (
    "StandardScaler",
    "MinMaxScaler",
    "MaxAbsScaler",
    "RobustScaler",
    "SimpleImputer",
)
_BOOSTERS: Final = ("mlflow.xgboost", "mlflow.lightgbm", "mlflow.catboost")
Frame = tuple[int, int, bytes]


def is_by_row(model: Any) -> bool:
    """Whether a row's prediction depends on that row alone, to the last bit.

    True for trees and ensembles of them, which compare and add in one order whatever stands beside
    a row. Models that multiply matrices are left out: BLAS adds in another order when there are
    more rows. So are models of people's own, whose rows may depend on each other.
    """
    loader = model.metadata.flavors.get("python_function", {}).get("loader_module", "")
    if loader in _BOOSTERS:
        return True
    return loader == "mlflow.sklearn" and _is_tree(model.get_raw_model())


def _is_tree(estimator: Any) -> bool:
    steps = getattr(estimator, "steps", None)
    if type(estimator).__module__ == "sklearn.pipeline" and steps:
        before = all(
            type(step).__module__.startswith("sklearn.") and type(step).__name__ in _BY_VALUE
            for _, step in steps[:-1]
        )
        return before and _is_tree(steps[-1][1])
    return type(estimator).__module__ in _TREES


class Model:
    """A loaded model that is asked by requests."""

    def __init__(self, folder: str) -> None:
        info: ModelInfo = read_model(Path(folder))
        self.columns = asked.Columns(info.signature)
        self.predictor = Predictor(folder)
        self.joins = is_by_row(self.predictor.model)
        self._rehearse(info)

    def _rehearse(self, info: ModelInfo) -> None:
        """Predict made-up rows: the first request need not wait, and joining is put to the proof."""
        inputs = info.signature.inputs
        if not inputs or {column.kind for column in inputs} not in ({"double"}, {"float"}):
            # What cannot be put to the proof is not joined.
            self.joins = False
            return
        made = np.random.default_rng(0).normal(size=(REHEARSED_ROWS, len(inputs)))
        given = Asked(tuple(column.name for column in inputs), made.tolist())
        self.predictor.prove(self.columns.batch(given))
        if not self.joins:
            return
        few = [Asked(given.names, given.rows[at : at + 1]) for at in range(COMPARED_ROWS)]
        try:
            alone = [self.ask(each) for each in few]
            together = self.ask(Asked(given.names, given.rows[:COMPARED_ROWS]))
            self.joins = _bits(together) == b"".join(map(_bits, alone))
        except Exception:  # noqa: BLE001 -- a model may refuse what was made up; then nothing is joined
            self.joins = False

    def ask(self, request: Asked) -> Any:
        """What the model gives for a request's rows; raises ``Wrong`` or what the model raises."""
        return self.predictor.ask(self.columns.batch(request), request.params or None)

    def ask_together(self, requests: Sequence[Asked]) -> list[bytes] | None:
        """The answers to requests of the same columns by one call; None where that cannot be."""
        rows = [row for request in requests for row in request.rows]
        try:
            given = self.ask(Asked(requests[0].names, rows))
        except Exception:  # noqa: BLE001 -- one of them is at fault; asked alone, it will say so
            return None
        if not isinstance(given, np.ndarray) or len(given) != len(rows):
            return None
        answers, start = [], 0
        values = given.tolist()
        for request in requests:
            stop = start + len(request.rows)
            if request.orientation:
                answers.append(asked.answer(given[start:stop], request))
            else:
                answers.append(asked.answer_numbers(values[start:stop]))
            start = stop
        return answers


def _bits(given: Any) -> bytes:
    return np.ascontiguousarray(given).tobytes() if isinstance(given, np.ndarray) else b"no array"


class Online:
    """Answers frames until the other side closes."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests = requests
        self._answers = answers
        self._held = bytearray()
        self._frames: deque[Frame] = deque()
        self._model: Model | None = None

    def run(self) -> None:
        """Answer until nobody asks any more."""
        while frames := self._take():
            if frames[0][1] == LOAD:
                self._load(frames[0])
                continue
            read = [found for frame in frames if (found := self._read(frame)) is not None]
            for group in grouped(read, joins=self._loaded.joins):
                self._answer(group)

    @property
    def _loaded(self) -> Model:
        assert self._model is not None  # noqa: S101 -- loading comes first
        return self._model

    def _take(self) -> list[Frame]:
        """What waits, at least one request; nothing once the other side has closed."""
        while not self._frames or select.select([self._requests], [], [], 0)[0]:
            block = os.read(self._requests, BLOCK)
            if not block:
                return []
            self._held += block
            self._cut()
            if self._frames and len(self._held) + sum(len(f[2]) for f in self._frames) > HELD_BYTES:
                break
        taken = min(len(self._frames), JOINED_REQUESTS)
        return [self._frames.popleft() for _ in range(taken)]

    def _cut(self) -> None:
        """Cut whole frames off what was read."""
        held, start = self._held, 0
        while len(held) - start >= REQUEST.size:
            number, form, length = REQUEST.unpack_from(held, start)
            stop = start + REQUEST.size + length
            if len(held) < stop:
                break
            self._frames.append((number, form, bytes(held[start + REQUEST.size : stop])))
            start = stop
        del held[:start]

    def _load(self, frame: Frame) -> None:
        try:
            self._model = Model(json.loads(frame[2])["folder"])
        except BaseException as error:  # noqa: BLE001 -- models raise what they like
            self._send(frame[0], 400, explain(error).encode())
            return
        model = self._model
        # What was loaded stays; there is no use in looking through it again and again.
        gc.collect()
        gc.freeze()
        said = {
            "libraries": libraries(), "joins": model.joins, "path": model.predictor.path,
        }  # fmt: skip
        self._send(frame[0], 200, json.dumps(said).encode())

    def _read(self, frame: Frame) -> tuple[int, Asked] | None:
        """A request as rows; one that cannot be read is answered."""
        try:
            return frame[0], asked.read(frame[2], frame[1])
        except Wrong as wrong:
            self._send(frame[0], 400, str(wrong).encode())
        return None

    def _answer(self, group: Sequence[tuple[int, Asked]]) -> None:
        if len(group) > 1:
            answers = self._loaded.ask_together([request for _, request in group])
            if answers is not None:
                sent = zip(group, answers, strict=True)
                self._write(b"".join(_frame(key, 200, body) for (key, _), body in sent))
                return
        for number, request in group:
            self._answer_alone(number, request)

    def _answer_alone(self, number: int, request: Asked) -> None:
        try:
            body = asked.answer(self._loaded.ask(request), request)
        except Wrong as wrong:
            self._send(number, 400, str(wrong).encode())
        except BaseException as error:  # noqa: BLE001 -- models raise what they like
            words = f"The model failed while predicting: {explain(error)}"
            self._send(number, 400, words.encode(errors="replace"))
        else:
            self._send(number, 200, body)

    def _send(self, number: int, status: int, body: bytes) -> None:
        self._write(_frame(number, status, body))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._answers, view) :]


def _frame(number: int, status: int, body: bytes) -> bytes:
    return ANSWER.pack(number, status, len(body)) + body


def grouped(
    requests: Sequence[tuple[int, Asked]], *, joins: bool
) -> Iterator[list[tuple[int, Asked]]]:
    """Requests that are asked in one call: of the same columns, without params, within bounds."""
    groups: dict[tuple[str, ...] | None, list[tuple[int, Asked]]] = {}
    rows: dict[tuple[str, ...] | None, int] = {}
    for number, request in requests:
        if not joins or request.params or not request.rows:
            yield [(number, request)]
            continue
        names = request.names
        if rows.get(names, 0) + len(request.rows) > JOINED_ROWS and names in groups:
            yield groups.pop(names)
            rows[names] = 0
        groups.setdefault(names, []).append((number, request))
        rows[names] = rows.get(names, 0) + len(request.rows)
    yield from groups.values()


def main(arguments: Sequence[str]) -> int:
    """Serve the parent: the file descriptors of requests and answers are the arguments."""
    requests, answers = (int(number) for number in arguments)
    # What a model prints goes where its errors go, never among the answers.
    os.dup2(2, 1)
    pa.set_cpu_count(1)
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        Online(requests, answers).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
