"""Puts everything together: settings in, ASGI app out.

Only this module and ``cli`` know the settings. ``create_app`` builds the table of rows, opens the
database and stores when the server starts, and closes them when it stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from heddle.api import fabric, fabric_endpoints
from heddle.api.events import Hub, close_on_signals
from heddle.api.guard import Guard
from heddle.api.http import Dispatcher, Request, Row, Services, Table
from heddle.api.metrics import Meter, Metrics, SlowCalls, telling_rows
from heddle.api.mlflow.artifacts import artifact_rows
from heddle.api.mlflow.experiments import experiment_rows
from heddle.api.mlflow.logged_models import logged_model_rows
from heddle.api.mlflow.metrics import metric_rows
from heddle.api.mlflow.older import older_rows
from heddle.api.mlflow.registry import registry_rows
from heddle.api.mlflow.runs import run_rows
from heddle.api.mlflow.server import server_rows
from heddle.api.mlflow.uploads import upload_rows
from heddle.api.mlflow.wire import error_body
from heddle.api.native import offer
from heddle.api.native.rows import native_rows
from heddle.api.native.workspaces import release
from heddle.api.static import lead_back, page_rows
from heddle.artifacts.blobs import open_blobs
from heddle.database import open_database
from heddle.db.notices import Notices
from heddle.db.tx import Caller, Change
from heddle.errors import HeddleError
from heddle.jobs.news import News
from heddle.scoring.endpoints import Endpoints
from heddle.scoring.plan import Limits
from heddle.scoring.worker import cache_of
from heddle.settings import Settings
from heddle.tracking.outlining import Outlining

log = logging.getLogger("heddle")

CALLED_BY = ("alias", "model", "version", "workspace")
"""Changes of these may change which endpoint an address means."""


def all_rows() -> list[Row]:
    """Every call that this server answers."""
    return [
        *experiment_rows(),
        *run_rows(),
        *metric_rows(),
        *registry_rows(),
        *older_rows(),
        *logged_model_rows(),
        *server_rows(),
        *artifact_rows(),
        *upload_rows(),
        *native_rows(),
        *fabric.fabric_rows(),
        *fabric_endpoints.endpoint_rows(),
        *telling_rows(),
        *page_rows(),
    ]


class App:
    """The ASGI application: HTTP goes to the dispatcher, lifespan opens and closes what it needs."""

    def __init__(self, settings: Settings, counts: Path | None = None) -> None:
        self.settings = settings
        self.table = Table(all_rows())
        self.meter = Meter(self.table.rows, counts)
        self.guard = Guard(settings.allowed_hosts, settings.allowed_origins)
        self.services: Services | None = None
        self.dispatch: Dispatcher | None = None
        self.hub = Hub()
        self.notices: Notices | None = None
        self.news: News | None = None
        self.outlining: Outlining | None = None
        self.endpoints: Endpoints | None = None

    def open(self) -> None:
        """Open the database, bringing its schema up to date first."""
        blobs = open_blobs(self.settings.artifacts_url)
        database = open_database(self.settings.database_url)
        if not database.is_embedded:
            self.notices = Notices(database.url, self.hub.announce, self.hub.lose)
            self.notices.start()
        else:
            self.news = News(database, self.hub.announce, lambda: self.hub.is_watched)
            self.news.start()
        self.outlining = Outlining(database)
        self.outlining.start()
        self.endpoints = Endpoints(
            database,
            blobs.store,
            Path(cache_of(self.settings.data)),
            limit=self.settings.active_endpoints,
            idle_s=self.settings.endpoint_idle_s,
            limits=Limits(batch_s=self.settings.endpoint_wait_s),
        )
        database.announce = self.announce
        self.services = Services(
            database,
            {
                "blobs": blobs,
                "hub": self.hub,
                "data_roots": self.settings.roots,
                "outlining": self.outlining,
                "endpoints": self.endpoints,
            },
        )
        self.dispatch = Dispatcher(self.table, self.services, self.admit, error_body)
        slow = SlowCalls(database, self.settings.slow_s)
        metrics = Metrics(self.meter, slow, release(), self.endpoints)
        self.services.extra["metrics"] = metrics
        self.dispatch.enter, self.dispatch.observe = self.meter.enter, metrics.observe
        self.dispatch.lead_back = lead_back
        self.dispatch.error_shapes = {
            "/api/v1/": offer.error_body,
            fabric.PREFIX: fabric.error_body,
        }

    def close(self) -> None:
        """Finish waiting writes and close."""
        if self.news is not None:
            self.news.stop()
        if self.outlining is not None:
            self.outlining.stop()
        if self.endpoints is not None:
            self.endpoints.close()
        if self.services is not None:
            self.services.extra["blobs"].close()
            self.services.database.close()
        if self.notices is not None:
            self.notices.stop()

    def announce(self, changes: list[Change]) -> None:
        """Tell those who watch, here and in other processes, of committed changes."""
        if self.outlining is not None:
            self.outlining.hear(changes)
        if self.endpoints is not None and any(each.kind in CALLED_BY for each in changes):
            self.endpoints.forget()
        self.hub.announce(changes)
        if self.notices is not None:
            self.notices.send(changes)

    def admit(self, request: Request, row: Row) -> Caller:
        """Who is calling; raises what keeps them out."""
        return self.guard.admit(request, row)

    def refusal(self, path: str, error: HeddleError) -> bytes:
        """What is sent instead of an answer to a request that could not be read."""
        return error_body(error) if self.dispatch is None else self.dispatch.refusal(path, error)

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http" and self.dispatch is not None:
            await self.dispatch(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _lifespan(
        self,
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await asyncio.to_thread(self.open)
                except Exception as error:  # noqa: BLE001 -- uvicorn prints it and stops
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                close_on_signals(self.hub)
                if self.endpoints is not None:
                    await self.endpoints.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await asyncio.to_thread(self.close)
                await send({"type": "lifespan.shutdown.complete"})
                return


def create_app(settings: Settings, counts: Path | None = None) -> App:
    """The application for these settings; nothing is opened before it starts.

    ``counts`` is a folder where several processes keep what they count together.
    """
    return App(settings, counts)
