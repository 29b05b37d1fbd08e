"""The rows of the native API: each offer of the contents page with the function behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from heddle.api.http import Row
from heddle.api.native import (
    compare,
    endpoints,
    events,
    experiments,
    files,
    jobs,
    logged_models,
    models,
    runs,
    series,
    versions,
    workspaces,
)
from heddle.api.native.contents import CONTENTS
from heddle.api.native.offer import row

CALLS: dict[str, Callable[..., Any]] = {
    **workspaces.CALLS,
    **experiments.CALLS,
    **runs.CALLS,
    **series.CALLS,
    **logged_models.CALLS,
    **compare.CALLS,
    **models.CALLS,
    **versions.CALLS,
    **endpoints.CALLS,
    **jobs.CALLS,
    **files.CALLS,
    **events.CALLS,
}


def native_rows() -> list[Row]:
    """Every call of the native API; raises ``KeyError`` for an offer that nothing stands behind."""
    return [row(offer, CALLS[offer.name]) for offer in CONTENTS]
