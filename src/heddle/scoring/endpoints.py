"""All endpoints of this server process: found by name, woken when asked, put to sleep when not.

Which versions are active is the database's to say (`registry.endpoints`); what is found there is
remembered for a second, and forgotten at once when this process commits a change. Every server
process has children of its own, so with several of them each loads the models that it is asked for.
"""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote

from heddle.artifacts.blobs import Store
from heddle.db.engine import Database
from heddle.db.tx import LOCAL, Caller, Tx
from heddle.errors import HeddleError, NotFound, Unavailable, WrongState
from heddle.registry import endpoints, versions
from heddle.registry.versions import Version
from heddle.scoring import models, scanning
from heddle.scoring.endpoint import Endpoint, Key
from heddle.scoring.plan import Limits, Model

KNOWN_S: Final = 1.0
KNOWN_MAX: Final = 10_000
SWEEP_S: Final = 1.0
ASK_AGAIN_S: Final = 15.0
NEEDED: Final = ("mlflow", "numpy", "pandas", "pyarrow")
Find = Callable[[Tx], Version]


def refuse_label(label: str, title: str) -> None:
    """Raise ``WrongState`` for a version whose files are suspicious: nothing loads it for requests."""
    if label == "suspicious":
        raise WrongState(
            f"{title} is suspicious: its files would do more than hold a model when loaded (see its"
            " scan). It does not answer requests."
        )


def bring(home: models.Home | None, model: Model, cache: Path) -> Path:
    """The folder with a model's files, fetched and looked at; raises as `models.fetch`.

    Raises ``WrongState`` for a suspicious one, ``Unavailable`` where models cannot be loaded.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(
            f"There is no {', '.join(missing)} here, which models need to answer requests:"
            " pip install 'heddle-ml[predict]'."
        )
    _, found, folder = models.fetch(home, model, cache)
    label = found.label
    if not label:
        # Nobody has looked at these files yet, and they are about to be loaded.
        scanner = scanning.Scanner()
        try:
            label = scanner.scan(folder).label
        except scanning.Unscannable as error:
            raise Unavailable(f"The files cannot be looked at: {error}") from None
        finally:
            scanner.close()
    refuse_label(label, found.title)
    return folder


class Endpoints:
    """Every endpoint that this process was asked for; used in its event loop."""

    def __init__(
        self,
        database: Database,
        store: Store,
        cache: Path,
        *,
        limit: int,
        idle_s: float,
        limits: Limits,
    ) -> None:
        self.database = database
        self.limit = limit
        self.idle_s = idle_s
        self._home = models.Opened(database, lambda: store)
        self._cache = cache
        self._limits = limits
        self._live: dict[int, Endpoint] = {}
        self._known: dict[tuple[str, str, str], tuple[float, Endpoint]] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="heddle-endpoints")
        self._sweeping: asyncio.Task[None] | None = None

    # ---- finding ---------------------------------------------------------------------------

    async def get(self, caller: Caller, model: str, version: str, find: Find) -> Endpoint:
        """The active endpoint that a path names; ``find`` is how the database is asked.

        Raises ``NotFound``, or ``WrongState`` for a version that is not active.
        """
        place = (caller.workspace, model, version)
        known = self._known.get(place)
        if known is not None and known[0] > time.monotonic():
            return known[1]

        def operation(tx: Tx) -> tuple[Version, endpoints.Endpoint]:
            found = find(tx)
            return found, endpoints.find_endpoint(tx, found.id)

        found, decided = await self.database.read(operation, caller)
        if not decided.is_active:
            raise WrongState(
                f"Version {found.number} of '{found.model_name}' is not active. Activate it on its"
                " page, or with POST .../endpoint/activate, and it answers."
            )
        endpoint = self.of(caller, found, decided)
        if len(self._known) >= KNOWN_MAX:
            self._known = {}
        self._known[place] = (time.monotonic() + KNOWN_S, endpoint)
        return endpoint

    def of(self, caller: Caller, version: Version, decided: endpoints.Endpoint) -> Endpoint:
        """The endpoint of an active version, made if this process has none yet."""
        endpoint = self._live.get(version.id)
        if endpoint is None:
            key = Key(caller.workspace, version.model_name, version.number)
            endpoint = self._live[version.id] = Endpoint(key, self._bring, self._limits)
        endpoint.key = replace(endpoint.key, model=version.model_name)
        endpoint.is_always_on = decided.is_always_on
        self._begin_sweeping()
        return endpoint

    def find(self, version_id: int) -> Endpoint | None:
        """The endpoint of a version, if this process was asked for it."""
        return self._live.get(version_id)

    def all(self) -> list[Endpoint]:
        """Every endpoint that this process was asked for."""
        return list(self._live.values())

    def forget(self) -> None:
        """Ask the database again for whatever comes next; called in any thread."""
        self._known = {}

    async def drop(self, version_id: int) -> None:
        """Stop the endpoint of a version that is no longer active."""
        self.forget()
        endpoint = self._live.get(version_id)
        if endpoint is not None:
            await endpoint.stop()
            self._live.pop(version_id, None)

    # ---- loading ---------------------------------------------------------------------------

    async def _bring(self, key: Key) -> Path:
        """Have the files of a version here, looked at; raises as `models.fetch` and `refuse_label`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._fetch, key)

    def _fetch(self, key: Key) -> Path:
        uri = f"models:/{quote(key.model, safe='')}/{key.number}"
        model = Model(uri=uri, workspace=key.workspace, name=key.model, version=key.number)
        return bring(self._home, model, self._cache)

    # ---- coming and going ------------------------------------------------------------------

    async def start(self) -> None:
        """Wake the endpoints that are always on."""
        for workspace, model, number in await self.database.read(endpoints.list_always_on, LOCAL):
            caller = Caller(workspace=workspace)
            find = partial(versions.get_version, name=model, number=number)
            try:
                endpoint = await self.get(caller, model, str(number), find)
            except HeddleError:
                continue
            endpoint.begin()

    def _begin_sweeping(self) -> None:
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.get_running_loop().create_task(self._sweep())

    async def _sweep(self) -> None:
        """Put to sleep what nobody asks; stop what is no longer active, here or elsewhere."""
        asked_s = time.monotonic()
        while self._live:
            await asyncio.sleep(min(SWEEP_S, self.idle_s))
            now_s = time.monotonic()
            for endpoint in self.all():
                process = endpoint.process
                is_idle = now_s - endpoint.used_s > self.idle_s
                if process and is_idle and not process.waiting and not endpoint.is_always_on:
                    endpoint.sleep()
            if now_s - asked_s > ASK_AGAIN_S:
                asked_s = now_s
                await self._ask_again()

    async def _ask_again(self) -> None:
        for version_id, endpoint in list(self._live.items()):
            key = endpoint.key

            def operation(tx: Tx, key: Key = key, version_id: int = version_id) -> bool:
                try:
                    versions.get_version(tx, key.model, key.number)
                except NotFound:
                    return False
                return endpoints.find_endpoint(tx, version_id).is_active

            try:
                is_active = await self.database.read(operation, Caller(workspace=key.workspace))
            except NotFound:  # the workspace itself
                is_active = False
            except HeddleError:
                continue
            if not is_active:
                await self.drop(version_id)

    def close(self) -> None:
        """End every process; called when the server goes, in any thread."""
        for endpoint in self.all():
            endpoint.close_now()
        self._threads.shutdown(wait=False, cancel_futures=True)
