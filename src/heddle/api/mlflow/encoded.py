"""Encoded answers kept in memory, each for one revision of what it tells of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from heddle.tracking.run_search import Known

CACHE_BYTES = 20 * 1024 * 1024


class Encoded:
    """Encoded answers by uid and revision, the oldest dropped past a size.

    A look-up under another revision misses, so what is served is always what the database holds.
    Used from several threads: each method is a few dictionary steps, atomic enough under the
    interpreter's lock that the worst case is encoding an answer twice.
    """

    def __init__(self, size_max: int = CACHE_BYTES) -> None:
        self.size_max = size_max
        self.size = 0
        self._kept: OrderedDict[tuple[str, int, bool], bytes] = OrderedDict()

    def get_all(self, known: Sequence[Known], kind: bool) -> list[bytes | None]:  # noqa: FBT001
        """The encoded answers, those that are kept."""
        get = self._kept.get
        return [get((uid, revision, kind)) for _, uid, revision in known]

    def put(self, key: tuple[str, int, bool], body: bytes) -> None:
        """Keep an encoded answer."""
        if key in self._kept:
            return
        self._kept[key] = body
        self.size += len(body) + 200
        while self.size > self.size_max and self._kept:
            try:
                _, dropped = self._kept.popitem(last=False)
            except KeyError:
                return
            self.size -= len(dropped) + 200
