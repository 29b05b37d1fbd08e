"""The process that does one job: told on its input what to do, it says on its output how it goes.

Started by the worker for each job. One message is one line of JSON. It says ``progress`` now and
then, asks with ``publish`` before the output may appear, and ends with ``receipt`` or ``error``. When
its input ends, the worker is gone, and so is this process with all that it started. Whatever
libraries print goes to the error output, whose end the worker keeps.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from heddle.errors import Conflict, Corrupt, HeddleError, Invalid, Unavailable
from heddle.scoring import memory, roots
from heddle.scoring import plan as plans


class Talk:
    """The two pipes to the worker; ``cancelling`` is set when the job is to end."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._lock = threading.Lock()
        self._answered = threading.Event()
        self._may = False
        self.cancelling = threading.Event()

    def say(self, **message: Any) -> None:
        """One message to the worker."""
        with self._lock:
            self._out.write(msgspec.json.encode(message) + b"\n")
            self._out.flush()

    def ask_to_publish(self) -> None:
        """Return if the output may appear now; raises ``Conflict`` if the job is another's."""
        self._answered.clear()
        self.say(publish=True)
        self._answered.wait()
        if not self._may:
            raise Conflict("The job was cancelled, or another worker has it.")

    def hear(self) -> None:
        """Take the worker's answers until it is gone; then end everything."""
        for line in sys.stdin.buffer:
            said = json.loads(line)
            if said.get("cancel"):
                self.cancelling.set()
            else:
                self._may = bool(said.get("publish"))
                self._answered.set()
        os.killpg(os.getpgid(0), signal.SIGKILL)


def main() -> None:
    """Do the job that the first line of the input names."""
    memory.choose_pool()
    talk = Talk()
    request = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=talk.hear, daemon=True).start()
    try:
        talk.say(**do(request, talk))
    except (Unavailable, Corrupt, Conflict, OSError, MemoryError) as error:
        talk.say(error=str(error) or type(error).__name__, again=True)
    except HeddleError as error:
        talk.say(error=error.message, again=_may_help(error))
    except Exception as error:  # noqa: BLE001 -- a bug of ours or of a library: said, not tried again
        traceback.print_exc()
        last = traceback.format_exception_only(error)[-1].strip()
        talk.say(error=f"The job met something unforeseen: {last}", again=False)


def _may_help(error: HeddleError) -> bool:
    """Whether trying again could help: a model's process that was ended from outside may live."""
    return type(error).__name__ == "ChildDied"


def do(request: Mapping[str, Any], talk: Talk) -> dict[str, Any]:
    """The last message of a job; raises what it fails with."""
    from heddle.scoring import browsing  # noqa: PLC0415 -- after the pipes are in place

    kind, plan, allowed = request["kind"], request["plan"], request["roots"]
    if kind == "tables":
        return {"receipt": browsing.list_folder(plan["folder"], allowed)}
    if kind == "preview":
        with memory.bounded():
            return {"receipt": browsing.preview(plan["input"], plan["rows"], allowed)}
    if kind == "tidy":
        return _tidy(request)
    return _predict(request, talk)


def _plan(request: Mapping[str, Any]) -> plans.Plan:
    """The job's plan, its places looked at where links are followed."""
    plan = plans.decode(json.dumps(request["plan"]))
    replace = msgspec.structs.replace
    return replace(
        plan,
        input=replace(plan.input, address=roots.look(plan.input.address, request["roots"])),
        output=replace(plan.output, address=roots.look(plan.output.address, request["roots"])),
    )


def _tidy(request: Mapping[str, Any]) -> dict[str, Any]:
    """Remove what a job that will not go on has left beside its output."""
    from heddle.scoring.targets import Target  # noqa: PLC0415 -- heavy

    output = _plan(request).output
    # As one that may overwrite, since whether it may be written is not the question.
    output = msgspec.structs.replace(output, mode="overwrite", key=())
    Target(output, request["job"]).aside.discard()
    return {"receipt": {}}


def _predict(request: Mapping[str, Any], talk: Talk) -> dict[str, Any]:
    """Apply a version to a table; asks before the output may appear."""
    from heddle.scoring import local, models  # noqa: PLC0415 -- heavy, and listings need none of it
    from heddle.scoring.scan import scan_folder  # noqa: PLC0415 -- as above

    plan = _plan(request)

    def tell(progress: local.Progress) -> None:
        said = {
            "phase": progress.stage,
            "rows": progress.rows,
            "total_rows": None if progress.total < 0 else progress.total,
            "rows_per_s": progress.rows_per_s or None,
            "left_s": progress.left_s,
        }
        talk.say(progress=said)
        if progress.stage == "committing":
            talk.ask_to_publish()

    home, cache = (
        models.DataFolder(request["database"], request["artifacts"]),
        Path(request["cache"]),
    )
    tell(local.Progress("preparing"))
    # Nobody may have looked at these files yet, and they are about to be loaded.
    _, found, folder = models.fetch(home, plan.model, cache)
    local.refuse_label(found.label or scan_folder(folder).label, found.title, plan)
    told = {"job": request["job"], "tell": tell, "cancel": talk.cancelling}
    if plan.engine == "spark":
        receipt = _run_on_spark(plan, home, cache, told)
    else:
        with memory.bounded():
            receipt = local.run(plan, prepared=local.prepare(plan, home=home, cache=cache), **told)
    return {"receipt": receipt, "version": receipt.model.version}


def _run_on_spark(plan: plans.Plan, home: Any, cache: Path, told: dict[str, Any]) -> Any:
    """The receipt of a plan that is run by the Spark that this process finds configured."""
    try:
        from heddle.scoring.spark import engine  # noqa: PLC0415 -- only where Spark is meant
    except ImportError:
        raise Invalid(
            "This worker has no Spark, for which the job asks: pip install 'heddle-ml[spark]' where"
            " the worker runs, or submit the job with engine local."
        ) from None
    spark = engine.session()
    try:
        return engine.run(engine.prepare(plan, spark, home=home, cache=cache), **told)
    finally:
        spark.stop()


if __name__ == "__main__":
    main()
