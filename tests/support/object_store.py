"""An object store that speaks S3 over HTTP, served from this process by ``moto``.

It takes requests as Amazon's does (objects, ranges, copies, uploads in parts, listings) and looks at
no signature; that ours are right is shown beside Amazon's own library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from moto.server import ThreadedMotoServer

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "eu-central-1"


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """Where a store listens, and its one bucket."""

    endpoint: str
    bucket: str = "heddle"

    @property
    def environment(self) -> dict[str, str]:
        """What points a program at it, as it would be pointed at any store of this kind."""
        return {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
        }

    def url(self, name: str) -> str:
        """The address of a folder in the bucket."""
        return f"s3://{self.bucket}/{name}"


@contextmanager
def running_store() -> Iterator[ObjectStore]:
    """Serves an empty bucket until the end."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        store = ObjectStore(f"http://{host}:{port}")
        place = f"<LocationConstraint>{REGION}</LocationConstraint>"
        wanted = f"<CreateBucketConfiguration>{place}</CreateBucketConfiguration>"
        httpx.put(f"{store.endpoint}/{store.bucket}", content=wanted).raise_for_status()
        yield store
    finally:
        server.stop()
