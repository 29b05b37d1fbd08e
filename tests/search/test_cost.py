"""The first page of a search touches about as few rows among many runs as among few.

Measured in the database's own units: steps of SQLite's machine, rows that PostgreSQL's scans read.
"""

from __future__ import annotations

import pytest
import sqlalchemy as sa

FILL = """
INSERT INTO runs WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
SELECT i, CASE WHEN i % 10 = 0 THEN 2 ELSE 1 END, 'uid' || (CAST(i AS BIGINT) * 7919 % 1000003), 'run-' || i,
  CASE WHEN i % 3 = 0 THEN 'FAILED' ELSE 'FINISHED' END, 1000000 + i, NULL FROM n;
INSERT INTO metrics SELECT id, 'rmse', (CAST(id AS BIGINT) * 7919 % 10007) / 10007.0,
  CASE WHEN id % 50 = 0 THEN 1 ELSE 0 END, experiment_id FROM runs;
INSERT INTO metrics SELECT id, 'auc', (CAST(id AS BIGINT) * 104729 % 10007) / 10007.0, 0, experiment_id
  FROM runs WHERE id % 2 = 0;
INSERT INTO params SELECT id, 'seed', CAST(id AS TEXT), id FROM runs;
INSERT INTO params SELECT id, 'opt', CASE WHEN id % 2 = 0 THEN 'adam' ELSE 'sgd' END, NULL FROM runs;
INSERT INTO tags SELECT id, 'team', 't' || (id % 7) FROM runs;
ANALYZE
"""

SEARCHES = [
    ("", [], (1,)),
    ("status = 'FINISHED' and metrics.auc > 0.2", [], (1,)),
    ("metrics.rmse < 0.5", ["metrics.rmse DESC"], (1,)),
    ("metrics.rmse > 0.9 and metrics.rmse < 0.902", ["metrics.rmse"], (1,)),
    ("params.opt = 'adam' and tags.team = 't3'", ["metrics.rmse"], (1,)),
    ("params.opt = 'adam' and tags.team like 't%'", ["metrics.rmse DESC"], (1, 2)),
    ("params.opt = 'adam'", ["params.seed"], (1,)),
    ("params.seed = '77'", [], (1,)),
    ("params.seed = 77", ["metrics.rmse"], (1,)),
    ("params.seed in ('77', '78', '178')", ["metrics.auc"], (1, 2)),
    ("run_name = 'run-77' and params.opt = 'sgd'", ["metrics.rmse"], (1,)),
    ("metrics.auc is null", ["metrics.rmse"], (1,)),
    ("metrics.absent > 1", ["metrics.rmse"], (1,)),
    ("", ["metrics.absent DESC"], (1,)),
    ("", ["start_time"], (1, 2)),
    ("", ["run_name DESC"], (1,)),
    ("", ["run_name", "metrics.rmse"], (1, 2)),
]
FEW_ROWS, MANY_ROWS = 3_000, 24_000


def fill(connection, count):
    for statement in FILL.split(";"):
        values = {"count": count} if ":count" in statement else {}
        connection.execute(sa.text(statement), values)


def steps(connection, search):
    """How many steps SQLite takes, to the hundred."""
    taken = [0]

    def step():
        taken[0] += 1

    raw = connection.connection.driver_connection
    raw.set_progress_handler(step, 100)
    assert search() is not None
    raw.set_progress_handler(None, 0)
    return taken[0] * 100


def rows_read(connection, sample):
    """How many rows PostgreSQL's scans read for the statements of the last search."""
    total = 0
    for statement, params in list(sample.statements):
        compiled = statement.params(**params).compile(
            connection, compile_kwargs={"literal_binds": True, "render_postcompile": True}
        )
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled}".replace("%%", "%")
        plan = connection.exec_driver_sql(explain.replace("%", "%%")).scalar_one()
        pending = [plan[0]["Plan"]]
        while pending:
            node = pending.pop()
            pending += node.get("Plans", [])
            if "Scan" in node["Node Type"]:
                read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                total += read * node["Actual Loops"]
    return total


@pytest.fixture
def measured(empty, connection):
    """``measured(search)`` among few and among many runs: two lists of costs."""

    def cost(text, order_by, experiments):
        def search():
            return empty.search(text, order_by, experiments=experiments, limit=50)

        search()
        if connection.dialect.name == "sqlite":
            return steps(connection, search)
        return rows_read(connection, empty)

    costs = []
    for count in (FEW_ROWS, MANY_ROWS):
        for table in ("runs", "metrics", "params", "tags"):
            connection.execute(sa.text(f"DELETE FROM {table}"))
        fill(connection, count)
        costs.append([cost(*each) for each in SEARCHES])
    return costs


def test_the_cost_does_not_grow_with_the_runs(measured, subtests):
    for search, few, many in zip(SEARCHES, *measured, strict=True):
        with subtests.test(str(search)):
            assert many <= 3 * few + 6_000
            assert many <= 8 * MANY_ROWS  # a scan of all runs with a probe each takes far more
