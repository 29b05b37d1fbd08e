"""A small noun to search: runs with metrics, params, tags and datasets, on both databases.

``hand`` holds eight runs that case files speak of; ``many`` holds generated ones for comparing with
the slow reference that ``test_agreement`` makes up.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from heddle.search import sql
from heddle.search.fields import Attribute, Catalogue, Keyed, Related

Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
metadata = sa.MetaData()
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("experiment_id", sa.Integer, nullable=False),
    sa.Column("run_id", Text, nullable=False),
    sa.Column("name", Text),
    sa.Column("status", Text, nullable=False),
    sa.Column("start_time", sa.BigInteger, nullable=False),
    sa.Column("end_time", sa.BigInteger),
    sa.Index("runs_default_order", "experiment_id", sa.text("start_time DESC"), "run_id"),
    sa.Index("runs_name", "experiment_id", "name"),
)
metrics = sa.Table(
    "metrics",
    metadata,
    sa.Column("run_id", sa.Integer, primary_key=True),
    sa.Column("key", Text, primary_key=True),
    sa.Column("value", sa.Double, nullable=False),
    sa.Column("is_nan", sa.Integer, nullable=False),
    sa.Column("experiment_id", sa.Integer, nullable=False),
    sa.Index("metrics_by_value", "experiment_id", "key", "is_nan", "value", "run_id"),
    sqlite_with_rowid=False,
)


def text_table(name: str, *columns: sa.Column[float]) -> sa.Table:
    """A table of texts by key, with the index that ``sql`` asks for."""
    table = sa.Table(
        name,
        metadata,
        sa.Column("run_id", sa.Integer, primary_key=True),
        sa.Column("key", Text, primary_key=True),
        sa.Column("value", Text, nullable=False),
        *columns,
        sqlite_with_rowid=False,
    )
    sa.Index(f"{name}_by_value", "key", sa.text("substr(value, 1, 64)"), "run_id", _table=table)
    return table


params = text_table("params", sa.Column("number", sa.Double))
sa.Index("params_by_number", params.c.key, params.c.number, params.c.run_id)
tags = text_table("tags")
datasets = sa.Table(
    "datasets",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Integer, nullable=False, index=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("context", Text),
)


def exists_dataset(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists().where(datasets.c.run_id == runs.c.id, condition)


CATALOGUE = Catalogue(
    noun="runs",
    table=runs,
    id=runs.c.id,
    attributes=(
        Attribute("run_id", runs.c.run_id, "text"),
        Attribute("run_name", runs.c.name, "text", aliases=("run name",), indexed=True),
        Attribute("status", runs.c.status, "text"),
        Attribute("start_time", runs.c.start_time, "number", aliases=("created",)),
        Attribute("end_time", runs.c.end_time, "number"),
        Attribute("secret", runs.c.status, "text", filterable=False, sortable=False),
    ),
    keyed=(
        Keyed(
            ("metrics", "metric"), metrics, "number", "run_id", nan="is_nan", scope="experiment_id"
        ),
        Keyed(("params", "param"), params, "text", "run_id", number="number"),
        Keyed(("tags", "tag"), tags, "text", "run_id"),
    ),
    related=(
        Related(
            ("datasets", "dataset"),
            {"name": datasets.c.name, "context": datasets.c.context},
            exists_dataset,
        ),
    ),
    tie_break=("start_time DESC", "run_id ASC"),
    attribute_prefixes=("attributes", "attribute", "attr", "run"),
    scope=runs.c.experiment_id,
)


SCOPE = runs.c.experiment_id.in_(sa.bindparam("experiments", expanding=True))


@dataclass
class Run:
    """One run as Python sees it."""

    id: int
    run_id: str
    status: str = "FINISHED"
    experiment_id: int = 1
    name: str | None = None
    start_time: int = 0
    end_time: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    datasets: list[tuple[str, str | None]] = field(default_factory=list)


def number_of(text: str) -> float | None:
    """The numeric form of a param, as a server would store it."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


HAND = (
    Run(1, "a", name="first", start_time=100, end_time=150, metrics={"rmse": 0.5, "val.loss": 2.0},
        params={"lr": "0.1", "opt": "adam"}, tags={"team": "blue", "a b": "x y"},
        datasets=[("train", "training"), ("test", None)]),
    Run(2, "b", name="Second", start_time=200, metrics={"rmse": 0.25},
        params={"lr": "0.01", "opt": "Adam"}, tags={"team": "Blue"}),
    Run(3, "c", status="FAILED", start_time=300, end_time=310, metrics={"rmse": math.nan},
        params={"lr": "auto"}, tags={"team": "50%"}),
    Run(4, "d", status="RUNNING", name="été", start_time=400, metrics={"rmse": 0.75, "val.loss": 1.0},
        params={"lr": "1e-3", "path": "C:\\data\\x"}, tags={"team": "it's"}),
    Run(5, "e", name="", start_time=500, metrics={"val.loss": -3.5},
        params={"opt": "sgd", "notes": "two\nlines"}, tags={"a/b": "", "team": "[x]*?"},
        datasets=[("train", None)]),
    Run(6, "f", name="ÉTÉ", start_time=500, end_time=500, metrics={"rmse": 1.7976931348623157e308}),
    Run(7, "g", status="KILLED", start_time=50, params={"lr": "-5", "ключ": "да"}),
    Run(8, "h", experiment_id=2, name="first", start_time=999, metrics={"rmse": 0.1}),
)  # fmt: skip

LONG = "l" * 70
NAMES = (None, "", "a", "A", "é", "É", "a_b", "a%b", "ab", "[a]", "a*b", "ΣΑΣ", "σας")
VALUES = ("", "0.1", "0.10", "1", "10", "9", "-3", "nan", "a", "A", "ab", "b", "a b", "[a-b]", "a?c",
          LONG + "a", LONG + "b", LONG, "%", "_", "é", "\U0001f642", "x\ny", "\\")  # fmt: skip
NUMBERS = (0.0, -0.0, 1.0, -1.5, 0.1, 1e300, -1e300, 5e-324, 3.0, math.nan)
KEYS = ("k", "k.l", "a b", 'é`"')


def generated(count: int) -> tuple[Run, ...]:
    """Runs full of ties, gaps and awkward values; the same ones each time."""
    pick = random.Random(7)
    made = []
    for number in range(1, count + 1):
        made.append(  # noqa: PERF401 -- each draws in turn from one seeded source
            Run(
                number,
                f"r{pick.randrange(10**6):06}-{number}",
                pick.choice(("FINISHED", "FAILED", "RUNNING")),
                pick.choice((1, 1, 1, 2, 3)),
                pick.choice(NAMES),
                pick.choice((0, 1, 2, 1_700_000_000_000, -5)),
                pick.choice((None, 0, 7, 2**53 + 1)),
                {k: pick.choice(NUMBERS) for k in KEYS if pick.random() < 0.6},
                {k: pick.choice(VALUES) for k in KEYS if pick.random() < 0.6},
                {k: pick.choice(VALUES) for k in KEYS if pick.random() < 0.6},
                [
                    (pick.choice(VALUES), pick.choice((None, "", "train")))
                    for _ in range(pick.choice((0, 0, 1, 2)))
                ],
            )
        )
    return tuple(made)


class Sample:
    """Some runs in a database, and the search over them."""

    catalogue = CATALOGUE

    def __init__(self, connection: sa.Connection, runs_: Sequence[Run]) -> None:
        self.connection = connection
        self.runs = runs_
        self.statements: list[tuple[sa.Select[Any], dict[str, Any]]] = []

    def fetch(self, statement: sa.Select[Any], /, **params: Any) -> Sequence[Any]:
        self.statements.append((statement, params))
        return self.connection.execute(statement, params).fetchall()

    def search(
        self,
        text: str = "",
        order_by: Sequence[str] = (),
        *,
        experiments: Sequence[int] = (1,),
        limit: int = 1000,
        offset: int = 0,
        told: bool = True,
    ) -> list[int]:
        """Ids of a page; ``told`` says whether the search learns the experiments apart."""
        self.statements.clear()
        return sql.search_ids(
            self.fetch,
            CATALOGUE,
            scope=SCOPE,
            filter=text,
            order_by=order_by,
            limit=limit,
            offset=offset,
            scope_values=experiments if told else (),
            params={"experiments": experiments},
        )


def fill(connection: sa.Connection, schema: Sequence[Run]) -> Sample:
    """Put runs into empty tables."""
    put = connection.execute
    put(
        runs.insert(),
        [
            {
                "id": r.id, "experiment_id": r.experiment_id, "run_id": r.run_id, "name": r.name,
                "status": r.status, "start_time": r.start_time, "end_time": r.end_time,
            }
            for r in schema
        ],
    )  # fmt: skip
    put(
        metrics.insert(),
        [
            {
                "run_id": r.id, "experiment_id": r.experiment_id, "key": k,
                "value": 0.0 if math.isnan(v) else v, "is_nan": int(math.isnan(v)),
            }
            for r in schema
            for k, v in r.metrics.items()
        ],
    )  # fmt: skip
    put(
        params.insert(),
        [
            {"run_id": r.id, "key": k, "value": v, "number": number_of(v)}
            for r in schema
            for k, v in r.params.items()
        ],
    )
    put(
        tags.insert(),
        [{"run_id": r.id, "key": k, "value": v} for r in schema for k, v in r.tags.items()],
    )
    put(
        datasets.insert(),
        [{"run_id": r.id, "name": n, "context": c} for r in schema for n, c in r.datasets],
    )
    return Sample(connection, schema)


def sqlite_engine() -> sa.Engine:
    """An empty SQLite database in memory, prepared as the server prepares its own."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    sa.event.listen(engine, "connect", lambda raw, _: sql.register_sqlite(raw))
    return engine


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    """An empty database that all tests of this folder share."""
    if request.param == "sqlite":
        engine = sqlite_engine()
    else:
        server = request.getfixturevalue("postgres")
        url = sa.make_url(server.url(server.create()))
        engine = sa.create_engine(url.set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Empty tables that are gone afterwards."""
    with engine.connect() as connection:
        metadata.create_all(connection)
        yield connection
        connection.rollback()
        metadata.drop_all(connection)
        connection.commit()


@pytest.fixture
def hand(connection: sa.Connection) -> Sample:
    return fill(connection, HAND)


@pytest.fixture
def many(connection: sa.Connection) -> Sample:
    return fill(connection, generated(150))


@pytest.fixture
def empty(connection: sa.Connection) -> Sample:
    """No runs yet."""
    return Sample(connection, ())
