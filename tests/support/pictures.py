"""Pictures for those who fill a database: PNGs of one colour, of any size."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

TEAL = b"\x11\x78\x65"


def png(width: int, height: int, colour: bytes = TEAL) -> bytes:
    """A PNG; rows are packed one at a time, so a huge one takes little memory."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    def packed() -> Iterator[bytes]:
        packer = zlib.compressobj(1)
        row = b"\0" + colour * width
        for _ in range(height):
            yield packer.compress(row)
        yield packer.flush()

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", b"".join(packed()))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")
