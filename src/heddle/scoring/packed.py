"""How large an answer in Arrow is once it is unpacked: told from what it says before that is done.

Arrow's columns may be compressed, and a few kilobytes become gigabytes when a batch is taken from
them. What came from a process that ran somebody's code is measured first.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import pyarrow as pa

RECORD_BATCH: Final = 3
DICTIONARY: Final = 2
# Places of fields in the tables of Arrow's Message.fbs.
HEADER_KIND, HEADER, DATA, BUFFERS, COMPRESSION = 1, 2, 1, 2, 3
AS_IT_IS: Final = -1


def unpacked_bytes(stream: bytes) -> int:
    """The size of a stream's first batch and its dictionaries, unpacked.

    Raises ``pyarrow.ArrowInvalid`` or, as Arrow does as well, ``OSError`` for what is no stream.
    """
    total = 0
    for message in pa.ipc.MessageReader.open_stream(stream):
        try:
            kind, size = _measure(memoryview(message.metadata), message.body)
        except struct.error as error:
            raise pa.ArrowInvalid(f"A message of Arrow is cut off: {error}") from None
        total += size
        if kind == RECORD_BATCH:
            break
    return total


def _measure(said: memoryview, body: Any) -> tuple[int, int]:
    """A message's kind and how large its body will be."""
    (root,) = struct.unpack_from("<I", said)
    at = _field(said, root, HEADER_KIND)
    kind = said[at] if 0 < at < len(said) else 0
    if kind not in (RECORD_BATCH, DICTIONARY):
        return kind, 0
    batch = _follow(said, _field(said, root, HEADER))
    if kind == DICTIONARY:
        batch = _follow(said, _field(said, batch, DATA))
    if not _field(said, batch, COMPRESSION):
        return kind, body.size
    buffers = _follow(said, _field(said, batch, BUFFERS))
    (count,) = struct.unpack_from("<I", said, buffers)
    total = 0
    for index in range(count):
        start, length = struct.unpack_from("<qq", said, buffers + 4 + 16 * index)
        if length:
            (size,) = struct.unpack_from("<q", body, start)
            total += length if size == AS_IT_IS else abs(size)
    return kind, total


def _field(said: memoryview, table: int, place: int) -> int:
    """Where a field of a table lies; 0 if the table has none there."""
    (back,) = struct.unpack_from("<i", said, table)
    (size,) = struct.unpack_from("<H", said, table - back)
    if 4 + 2 * place >= size:
        return 0
    (offset,) = struct.unpack_from("<H", said, table - back + 4 + 2 * place)
    return table + offset if offset else 0


def _follow(said: memoryview, at: int) -> int:
    """What the offset at a place means."""
    (offset,) = struct.unpack_from("<I", said, at)
    return int(at + offset)
