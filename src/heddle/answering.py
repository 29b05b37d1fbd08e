"""``heddle answer MODEL``: one model by request, at the addresses that `mlflow models serve` has.

The endpoint is the one of the server (`scoring.endpoint`), its model in a confined process; here are
only its own small server and the command. The model is loaded before the first request and stays.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from heddle.errors import HeddleError, Invalid
from heddle.settings import Settings

if TYPE_CHECKING:
    from heddle.api.http import Request, Row, Services
    from heddle.scoring.endpoint import Endpoint

PLAIN: Final = ((b"content-type", b"text/plain; charset=utf-8"),)
PORT: Final = 5001


def add_answer(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser("answer", help="hold one model and answer scoring requests")
    parser.add_argument("model", help="name/3, name@alias, name/latest, models:/..., or a folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=PORT,
                        help=f"port to listen on; 0 for any that is free ({PORT})")  # fmt: skip
    parser.add_argument("--wait-s", type=float, default=60.0, metavar="SECONDS",
                        help="how long the model may take for one request (60)")  # fmt: skip
    parser.add_argument("--workspace", default="default", help="where the model is (default)")
    parser.add_argument("--server", default="", help="a Heddle server's address (HEDDLE_URL)")
    parser.add_argument("--data", default="", help="a data folder, instead of a server")
    parser.set_defaults(command=answer)


def answer(args: argparse.Namespace) -> int:
    """Hold a model and answer until told to stop."""
    if not Settings(host=args.host).is_loopback:
        raise Invalid(
            f"Whoever reaches this server may ask its model, so it does not listen on {args.host}."
            " Serve on this machine and let what forwards requests decide whom it lets in."
        )
    import uvicorn  # noqa: PLC0415 -- other commands need no web server

    from heddle import serve  # noqa: PLC0415 -- as above
    from heddle.api.connection import Protocol  # noqa: PLC0415 -- as above
    from heddle.scoring.endpoints import bring  # noqa: PLC0415 -- as above
    from heddle.scoring.models import cache_folder, find_home, parse  # noqa: PLC0415 -- as above
    from heddle.scoring.plan import Model  # noqa: PLC0415 -- as above

    home = None if parse(args.model).folder else find_home(args.server, args.data)
    folder = bring(home, Model(uri=args.model, workspace=args.workspace), cache_folder())
    listener = serve.bind(args.host, args.port)
    host, port = listener.getsockname()[:2]
    ready = f"{args.model} answers at http://{host}:{port}/invocations"
    app = Answering(folder, args.wait_s, ready)
    config = uvicorn.Config(
        app, loop="uvloop", http=Protocol, ws="none", lifespan="on", log_level="warning",
        access_log=False, server_header=False, timeout_keep_alive=75, proxy_headers=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.run(sockets=[listener])
    return 0 if server.started else 2


class Answering:
    """The ASGI application of one model, in ``folder``; ``ready`` is printed when it is loaded."""

    def __init__(self, folder: Path, wait_s: float, ready: str) -> None:
        from heddle.api.guard import Guard  # noqa: PLC0415 -- not for the parser
        from heddle.api.http import Dispatcher, Services, Table  # noqa: PLC0415 -- as above
        from heddle.api.mlflow.wire import error_body  # noqa: PLC0415 -- as above

        self._folder = folder
        self._wait_s = wait_s
        self._ready = ready
        self._endpoint: Endpoint | None = None
        # No call here asks a database.
        services = Services(None)  # type: ignore[arg-type]
        self._dispatch = Dispatcher(Table(self._rows()), services, Guard((), ()).admit, error_body)

    def _rows(self) -> list[Row]:
        from heddle.api.http import Effect, Row  # noqa: PLC0415 -- not for the parser
        from heddle.api.mlflow.wire import error_body  # noqa: PLC0415 -- as above
        from heddle.api.native.workspaces import release  # noqa: PLC0415 -- as above

        calls = (
            ("GET", "/ping", "server.read", partial(_say, b"\n")),
            ("GET", "/health", "server.read", partial(_say, b"\n")),
            ("GET", "/version", "server.read", partial(_say, release().encode())),
            ("POST", "/invocations", "endpoint.invoke", self._invoke),
        )
        return [
            Row(method, path, action, Effect.STREAM, call, _nothing, _nothing, error_body)
            for method, path, action, call in calls
        ]

    async def _invoke(self, request: Request, _services: Services) -> None:
        from heddle.api.http import respond  # noqa: PLC0415 -- not for the parser
        from heddle.api.native.endpoints import form_of  # noqa: PLC0415 -- as above

        assert self._endpoint is not None  # noqa: S101 -- nothing is served before it is there
        form = form_of(request)
        body = await request.read_body()
        await respond(request, 200, await self._endpoint.score(body, form))

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http":
            await self._dispatch(scope, receive, send)
            return
        while scope["type"] == "lifespan":
            if (await receive())["type"] == "lifespan.startup":
                try:
                    await self._load()
                except (HeddleError, OSError) as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
                continue
            if self._endpoint is not None:
                await self._endpoint.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return

    def refusal(self, path: str, error: HeddleError) -> bytes:
        """What is sent instead of an answer to a request that could not be read."""
        return self._dispatch.refusal(path, error)

    async def _load(self) -> None:
        from heddle.scoring.endpoint import Endpoint, Key  # noqa: PLC0415 -- not for the parser
        from heddle.scoring.plan import Limits  # noqa: PLC0415 -- as above

        async def files(_: Key) -> Path:
            return self._folder

        key = Key("", self._folder.name, 0)
        self._endpoint = Endpoint(key, files, Limits(batch_s=self._wait_s))
        await self._endpoint.wake()
        print(self._ready, flush=True)  # noqa: T201 -- a command's answer is printed


async def _say(text: bytes, request: Request, _services: Services) -> None:
    from heddle.api.http import respond  # noqa: PLC0415 -- not for the parser

    await respond(request, 200, text, PLAIN)


def _nothing(_: Any) -> Any:
    """Decoding and encoding are the call's own business."""
    return b""
