"""Owns a set of servers that are measured side by side: seeding, copying, starting, ending.

Always holds: all servers of a fleet are up at once, each on its own copy of the same data, and all
are down when the context ends, however it ends.
Leaves to others: what they are asked.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import postgres
from bench.client import Client
from bench.forms import Form
from bench.places import RUNS, SEEDS
from bench.seed import Seed, Size, fill
from bench.servers import DidNotStart, Flavour, Programs, Server
from bench.work import Target

# Heddle is what is being worked on, so its seed is made anew with every run.
KEPT_FAMILIES = frozenset({"mlflow", "fasttrackml"})


@dataclass(frozen=True)
class Member:
    """One server of a fleet, or why it is missing from it."""

    flavour: Flavour
    server: Server
    target: Target | None
    failure: str = ""

    def running(self) -> Target:
        """Return the target that work is asked of; raise DidNotStart where there is none."""
        if self.target is None:
            raise DidNotStart(self.failure)
        return self.target


@contextmanager
def fleet(
    flavours: Sequence[Flavour], programs: Programs, size: Size, form: Form
) -> Iterator[list[Member]]:
    """Start all `flavours` on seeded data; a server that fails is a member with a `failure`."""
    with ExitStack() as stack:
        port = 0
        if any(flavour.postgres for flavour in flavours):
            _, port = stack.enter_context(postgres.postgres())
        seeded = _Seeded(programs, size, port)
        yield [_join(stack, flavour, seeded, form) for flavour in flavours]


def _join(stack: ExitStack, flavour: Flavour, seeded: "_Seeded", form: Form) -> Member:
    server = seeded.server(flavour, RUNS / flavour.name)
    stack.callback(server.stop)
    try:
        seed = seeded.lay(flavour, server)
        server.start()
    except Exception as failure:  # noqa: BLE001 - one server's failure is a finding, not the end
        server.stop()
        return Member(flavour, server, None, f"{type(failure).__name__}: {failure}"[:400])
    client = Client(server.url)
    stack.callback(client.close)
    return Member(flavour, server, Target(flavour, server.url, seed, client, form))


class _Seeded:
    """Lays seeded data for servers; a family is seeded once and then copied."""

    def __init__(self, programs: Programs, size: Size, port: int) -> None:
        self._programs = programs
        self._size = size
        self._port = port
        self._fresh: set[str] = set()

    def server(self, flavour: Flavour, data: Path) -> Server:
        """Return a server that is not started yet."""
        shutil.rmtree(data, ignore_errors=True)
        return Server(flavour, data, self._command(flavour, data, flavour.name))

    def _command(self, flavour: Flavour, data: Path, database: str) -> Callable[[int], list[str]]:
        return lambda port: self._programs.command(
            flavour, port, data, self._url(flavour, database)
        )

    def _url(self, flavour: Flavour, database: str) -> str | None:
        if not flavour.postgres:
            return None
        driver = "psycopg2" if flavour.family == "mlflow" else "psycopg"
        return f"postgresql+{driver}://bench@127.0.0.1:{self._port}/{_plain(database)}"

    def lay(self, flavour: Flavour, server: Server) -> Seed:
        """Put the family's seeded data where `server` keeps its own."""
        kept = self._seed_directory(flavour)
        described = kept / "seed.json"
        if not described.exists() or not self._reusable(flavour, kept):
            self._make(flavour, kept)
            self._fresh.add(kept.name)
        shutil.copytree(kept / "data", server.data)
        if flavour.postgres:
            postgres.create_database(self._port, _plain(flavour.name), copied=_plain(kept.name))
        return Seed.from_json(json.loads(described.read_text()))

    def _reusable(self, flavour: Flavour, kept: Path) -> bool:
        if kept.name in self._fresh:
            return True
        return flavour.family in KEPT_FAMILIES and not flavour.postgres

    def _seed_directory(self, flavour: Flavour) -> Path:
        kept = flavour.family in KEPT_FAMILIES
        version = self._programs.version(flavour.family) if kept else ""
        described = json.dumps([asdict(self._size), version, flavour.postgres])
        digest = hashlib.sha256(described.encode()).hexdigest()[:10]
        return SEEDS / f"{flavour.family}-{digest}"

    def _make(self, flavour: Flavour, kept: Path) -> None:
        print(f"seeding {flavour.title}: {self._size}", flush=True)
        shutil.rmtree(kept, ignore_errors=True)
        server = Server(flavour, kept / "data", self._command(flavour, kept / "data", kept.name))
        if flavour.postgres:
            postgres.create_database(self._port, _plain(kept.name))
        try:
            server.start()
            seed = fill(server.url, flavour, self._size)
        finally:
            server.stop()
        (kept / "seed.json").write_text(json.dumps(seed.to_json()))


def _plain(name: str) -> str:
    """Return `name` as PostgreSQL takes it without quotes."""
    return name.replace("-", "_")
