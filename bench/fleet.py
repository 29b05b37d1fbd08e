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
from bench.seed import LAYOUT, Seed, Size, fill
from bench.servers import FLAVOURS, DidNotStart, Flavour, Programs, Server
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
        seeder = Seeder(programs, size, port)
        yield [_join(stack, flavour, seeder, form) for flavour in flavours]


def _join(stack: ExitStack, flavour: Flavour, seeder: "Seeder", form: Form) -> Member:
    server = seeder.server(flavour, RUNS / flavour.name)
    stack.callback(server.stop)
    try:
        seed = seeder.lay(flavour, server)
        server.start()
    except Exception as failure:  # noqa: BLE001 - one server's failure is a finding, not the end
        server.stop()
        return Member(flavour, server, None, f"{type(failure).__name__}: {failure}"[:400])
    client = Client(server.url)
    stack.callback(client.close)
    return Member(flavour, server, Target(flavour, server.url, seed, client, form))


class Seeder:
    """Lays seeded data for servers; a family is seeded once and then copied."""

    def __init__(self, programs: Programs, size: Size, port: int = 0) -> None:
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
        kept = self._made(flavour)
        shutil.copytree(kept / "data", server.data)
        if flavour.postgres:
            postgres.create_database(self._port, _plain(flavour.name), copied=_plain(kept.name))
        return Seed.from_json(json.loads((kept / "seed.json").read_text()))

    def prepare(self, flavour: Flavour) -> None:
        """Install the flavour, and make its seed where that is kept from run to run."""
        if flavour.postgres:
            postgres.server_version()
        self._programs.version(flavour.family)
        if flavour.family in KEPT_FAMILIES and not flavour.postgres:
            self._made(flavour)

    def _made(self, flavour: Flavour) -> Path:
        """Return the directory of the family's seed, made first where it has to be."""
        kept = self._seed_directory(flavour)
        if not (kept / "seed.json").exists() or not self._reusable(flavour, kept):
            self._make(flavour, kept)
            self._fresh.add(kept.name)
        return kept

    def _reusable(self, flavour: Flavour, kept: Path) -> bool:
        if kept.name in self._fresh:
            return True
        return flavour.family in KEPT_FAMILIES and not flavour.postgres

    def _seed_directory(self, flavour: Flavour) -> Path:
        kept = flavour.family in KEPT_FAMILIES
        version = self._programs.version(flavour.family) if kept else ""
        described = json.dumps([LAYOUT, asdict(self._size), version, flavour.postgres])
        digest = hashlib.sha256(described.encode()).hexdigest()[:10]
        return SEEDS / f"{flavour.family}-{digest}"

    def _make(self, flavour: Flavour, kept: Path) -> None:
        # MLflow takes writes several times faster in its default configuration.
        flavour = FLAVOURS[f"{flavour.family}-pg" if flavour.postgres else flavour.family]
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
