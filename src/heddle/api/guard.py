"""Who may come in at all: the Host and Origin checks, and whose call it is.

A page elsewhere must not be able to use a browser against this server: the Host header must be a
loopback or private address or a listed name (this stops DNS rebinding), and a call that changes
something must not come from another site's page.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from heddle.api.http import WORKSPACE_HEADER, Request, Row
from heddle.db.tx import DEFAULT_WORKSPACE, LOCAL, Caller
from heddle.errors import Denied, Invalid, Malformed
from heddle.workspaces import check_name

REMEMBERED_MAX = 1000


class Guard:
    """Admits or refuses requests, remembering the hosts it has judged."""

    def __init__(self, allowed_hosts: Sequence[str], allowed_origins: Sequence[str]) -> None:
        self.allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self.allowed_origins = frozenset(origin.lower().rstrip("/") for origin in allowed_origins)
        self._judged: dict[bytes, bool] = {}
        self._callers: dict[bytes, Caller] = {}

    def admit(self, request: Request, row: Row) -> Caller:
        """Whose call this is.

        Raises ``Denied`` for a wrong Host or Origin, ``Malformed`` for none or several Hosts,
        ``Invalid`` for a workspace's header that no workspace could be called by.
        """
        host = origin = workspace = None
        for key, value in request.headers:
            if key == b"host":
                if host is not None:
                    raise Malformed("The request has two Host headers; send one.")
                host = value
            elif key == b"origin":
                origin = value
            elif key == WORKSPACE_HEADER:
                workspace = value.strip()
        if host is None:
            if request.scope.get("http_version") == "1.1":
                raise Malformed("The request has no Host header, which HTTP/1.1 asks for.")
        elif not self._known_host(host):
            raise Denied(
                f"The Host header {host.decode('latin-1')!r} is not one of this server's names."
                " Start it with --allowed-hosts NAME (or HEDDLE_ALLOWED_HOSTS) to add it."
            )
        if origin is not None and row.method != "GET":
            self._check_origin(origin.decode("latin-1"), (host or b"").decode("latin-1"))
        named = request.params.get("workspace")
        if named is not None:
            # Of the native API's calls the path says the workspace.
            workspace = named.encode("utf-8", "surrogateescape")
        if not workspace:
            return LOCAL
        caller = self._caller(workspace)
        if named is None and caller is not LOCAL:
            check_name(caller.workspace)
        return caller

    def _caller(self, workspace: bytes) -> Caller:
        caller = self._callers.get(workspace)
        if caller is None:
            try:
                name = workspace.decode()
            except UnicodeDecodeError:
                raise Invalid("The X-MLFLOW-WORKSPACE header is not UTF-8 text.") from None
            if name == DEFAULT_WORKSPACE:
                return LOCAL
            caller = Caller(workspace=name)
            if len(self._callers) < REMEMBERED_MAX:
                self._callers[workspace] = caller
        return caller

    def _known_host(self, header: bytes) -> bool:
        known = self._judged.get(header)
        if known is None:
            known = self._judge(header.decode("latin-1").lower())
            if len(self._judged) < REMEMBERED_MAX:
                self._judged[header] = known
        return known

    def _judge(self, host: str) -> bool:
        if "*" in self.allowed_hosts or host in self.allowed_hosts:
            return True
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.allowed_hosts or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or address.is_private

    def _check_origin(self, origin: str, host: str) -> None:
        low = origin.lower().rstrip("/")
        if low in self.allowed_origins or "*" in self.allowed_origins:
            return
        if low != "null" and urlsplit(low).netloc == host.lower():
            return
        raise Denied(
            f"A page of {origin!r} may not change anything here."
            " Start the server with --allowed-origins ORIGIN (or HEDDLE_ALLOWED_ORIGINS) to allow"
            " it."
        )
