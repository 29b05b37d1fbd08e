"""``heddle.predict``: a model over a table that is in hand or named, giving back the same kind.

Data frames of pandas and polars, tables and readers of Arrow and relations of DuckDB come back with
columns of predictions added; an address is read and, with ``output``, written as ``heddle predict``
does. What is checked and how models run is the same in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from heddle.errors import Invalid
from heddle.scoring import local, models, tables
from heddle.scoring.check import require
from heddle.scoring.plan import Input, Limits, Model, Output, Plan
from heddle.scoring.receipt import Receipt

IN_HAND = "memory"
"""What the plan calls a table that has no address."""


def predict(
    model: str,
    table: Any,
    output: str | Path | None = None,
    *,
    mapping: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    casts: Sequence[str] = (),
    columns: Sequence[str] | None = None,
    predictions: Sequence[str] | str = (),
    mode: str = "create",
    key: Sequence[str] = (),
    env: str = "current",
    processes: int = 0,
    limits: Limits | None = None,
    workspace: str = "default",
    server: str = "",
    data: str = "",
    tell: Callable[[local.Progress], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Any:
    """Apply a model to a table.

    Args:
        model: ``name/3``, ``name@alias``, ``name/latest``, ``models:/...``, ``runs:/...``, a folder.
        table: a data frame of pandas or polars, a table, batch or reader of Arrow, a relation of
            DuckDB, or an address as ``heddle predict`` takes it.
        output: where an address's table goes; without one its rows come back as an Arrow table.
        mapping: the table's column for a model's column, where names differ.
        params: params of the model.
        casts: the model's columns for which an offered cast is accepted; ``["*"]`` for all.
        columns: columns of the table to keep beside the predictions; all unless told.
        predictions: names for the columns of predictions, one or several.
        mode: create, overwrite, append or merge, for ``output``.
        key: the columns that merge matches rows on.
        env: ``current``, or ``uv`` for the model's own requirements.
        processes: child processes; one for each core unless told.
        limits: what a child may use.
        workspace: where the model is.
        server: a Heddle server's address; HEDDLE_URL or MLFLOW_TRACKING_URI unless told.
        data: a data folder, instead of a server.
        tell: hears of progress.
        warn: hears of warnings; `warnings.warn` unless told.

    Returns the same kind as ``table``; for an address its receipt with ``output``, else an Arrow
    table. Raises ``SchemaRefused`` (with all that does not fit), ``ModelFailed``, ``HeddleError``.
    """
    is_address = isinstance(table, str | Path)
    if output is not None and not is_address:
        raise Invalid("An output is for a table that is named by its address; this one is in hand.")
    plan = Plan(
        model=Model(uri=model, workspace=workspace),
        input=Input(address=str(table) if is_address else IN_HAND),
        output=Output(
            address=IN_HAND if output is None else str(output),
            mode=mode,  # type: ignore[arg-type]
            key=tuple(key),
            columns=None if columns is None else tuple(columns),
            predictions=(predictions,) if isinstance(predictions, str) else tuple(predictions),
        ),
        mapping=dict(mapping or {}),
        params=dict(params or {}),
        casts=tuple(casts),
        env=env,  # type: ignore[arg-type]
        processes=processes,
        limits=limits or Limits(),
    )
    home = None if models.parse(model).folder else models.find_home(server, data)
    prepared = local.prepare(plan, home=home, source=None if is_address else _source(table))
    return _applied(prepared, table, tell, warn or _warn)


def _applied(
    prepared: local.Prepared,
    table: Any,
    tell: Callable[[local.Progress], None] | None,
    warn: Callable[[str], None],
) -> Any:
    """Run what is prepared; a receipt, or the table in the kind that was given."""
    for words in [*local.library_warnings(prepared), *prepared.verdict.warnings]:
        warn(words)
    if prepared.plan.output.address != IN_HAND:
        receipt: Receipt = local.run(prepared.plan, prepared=prepared, tell=tell)
        return receipt
    if isinstance(table, str | Path):
        return _streamed(prepared, tell)
    return _attached(table, prepared, tell)


def _warn(words: str) -> None:
    import warnings  # noqa: PLC0415 -- only when there is something to say

    warnings.warn(words, stacklevel=5)


def _kind(table: Any) -> str:
    """The library that a table in hand belongs to, told without importing any."""
    kind = type(table)
    module = str(kind.__module__).partition(".")[0]
    if module in ("duckdb", "_duckdb") or kind.__name__ == "DuckDBPyRelation":
        return "duckdb"
    return module


def _source(table: Any) -> tables.Source:
    """A table in hand as a source; raises ``Invalid`` for what is none."""
    kind = _kind(table)
    if kind == "pandas":
        if not hasattr(table, "columns"):
            raise Invalid("A pandas Series is no table; give a DataFrame.")
        made = pa.Table.from_pandas(table.rename(columns=str), preserve_index=False)
    elif kind == "polars":
        made = (table.collect() if hasattr(table, "collect") else table).to_arrow()
    elif kind == "duckdb":
        made = table.to_arrow_table()
    elif isinstance(table, pa.Table):
        made = table
    elif isinstance(table, pa.RecordBatch):
        made = pa.Table.from_batches([table])
    elif isinstance(table, pa.RecordBatchReader):
        return tables.InMemory(table.schema, table, -1)
    elif hasattr(table, "__arrow_c_stream__"):
        made = pa.table(table)
    else:
        raise Invalid(
            f"{type(table).__name__} is no table; give a data frame of pandas or polars, a table of"
            " Arrow, a relation of DuckDB, or an address."
        )
    made = pa.table(made)
    return tables.InMemory(made.schema, made.to_batches(), made.num_rows)


def _stream(
    prepared: local.Prepared, kept: Sequence[str], tell: Callable[[local.Progress], None] | None
) -> Iterable[tuple[pa.RecordBatch, pa.RecordBatch]]:
    require(prepared.verdict, prepared.title)
    local.refuse_suspicious(prepared)
    total = tables.rows_of(prepared.source)
    with local.open_stream(prepared, total) as (stream, batches):
        rows = 0
        for _, batch, predicted in stream.run(batches(kept)):
            rows += batch.num_rows
            if tell is not None:
                tell(local.Progress("predicting", rows, total))
            yield batch, predicted


def _streamed(prepared: local.Prepared, tell: Callable[[local.Progress], None] | None) -> pa.Table:
    """Kept columns and predictions as an Arrow table."""
    kept = local.kept_columns(prepared.plan, prepared.source.schema)
    made = []
    for batch, predicted in _stream(prepared, kept, tell):
        whole = batch.select(kept)
        arrays = [*whole.columns, *predicted.columns]
        made.append(pa.RecordBatch.from_arrays(arrays, [*kept, *predicted.schema.names]))
    if not made:
        fields = [prepared.source.schema.field(name) for name in kept]
        return pa.schema([*fields, *local.predicted_fields(prepared)]).empty_table()
    return pa.Table.from_batches(made)


def _attached(
    table: Any, prepared: local.Prepared, tell: Callable[[local.Progress], None] | None
) -> Any:
    """The same kind of table with columns of predictions."""
    kind = _kind(table)
    if kind not in ("pandas", "polars") or hasattr(table, "collect"):
        made = _streamed(prepared, tell)
        if isinstance(table, pa.RecordBatch):
            return made.combine_chunks().to_batches()[0] if made.num_rows else made
        if isinstance(table, pa.RecordBatchReader):
            return made.to_reader()
        if kind == "polars":
            import polars as pl  # noqa: PLC0415 -- there, since the table is its

            return pl.DataFrame(made).lazy()
        if kind == "duckdb":
            import duckdb  # noqa: PLC0415 -- there, since the table is its

            return duckdb.from_arrow(made)
        return made
    kept = local.kept_columns(prepared.plan, prepared.source.schema)
    parts = [predicted for _, predicted in _stream(prepared, (), tell)]
    empty = pa.schema(local.predicted_fields(prepared)).empty_table()
    found = pa.Table.from_batches(parts) if parts else empty
    both = sorted(set(kept) & set(found.column_names))
    if both:
        raise Invalid(
            f"The table has columns that are called like predictions: {', '.join(both)}. Name the"
            " predictions otherwise (predictions=), or leave those columns out (columns=)."
        )
    if kind == "polars":
        import polars as pl  # noqa: PLC0415 -- there, since the table is its

        return table.select(kept).hstack(pl.DataFrame(found))
    # The frame's own columns and index stay what they are; only predictions are new.
    whole = table.loc[:, [name for name in table.columns if str(name) in kept]].copy()
    for name in found.column_names:
        column = found.column(name)
        whole[name] = column.to_pandas().set_axis(table.index)
    return whole
