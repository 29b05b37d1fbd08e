"""Failures of databases in Heddle's own words.

A failure whose cause lies outside (a full disk, a held file, a lost connection, damage) becomes one of
``heddle.errors``; any other is a bug of ours and stays what it is.
"""

from __future__ import annotations

import sqlite3

from heddle.errors import Corrupt, HeddleError, Invalid, Unavailable


class Interrupted(HeddleError):
    """A statement was stopped because it was asked to be quick and was not."""


def is_held(error: sqlite3.Error) -> bool:
    """Whether another program holds the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    )


def translate(error: Exception) -> Exception:
    """A driver's failure as one of ours where the cause lies outside; else the error itself."""
    if isinstance(error, HeddleError):
        return error
    cause = getattr(error, "orig", None) or error
    text = str(cause).strip()
    if isinstance(cause, sqlite3.Error):
        return _translate_sqlite(cause, text) or error
    if isinstance(cause, OverflowError) and "SQLite" in text:
        return Invalid("A number of this request is too large: whole numbers have 64 bits at most.")
    state = getattr(cause, "sqlstate", None)
    if type(cause).__module__.startswith("psycopg") and (
        type(cause).__name__ == "DataError" or (state or "").startswith("22")
    ):
        return Invalid(f"PostgreSQL cannot take a value of this request: {text.splitlines()[0]}")
    if (state is not None and state[:2] in ("08", "53", "57", "58")) or (
        type(cause).__name__ == "OperationalError" and type(cause).__module__.startswith("psycopg")
    ):
        return Unavailable(
            f"PostgreSQL cannot answer now ({text.splitlines()[0] if text else state}). Try again."
        )
    return error


def _translate_sqlite(error: sqlite3.Error, text: str) -> HeddleError | None:
    """SQLite's failure as one of ours, by its primary result code; None if the cause is ours."""
    if is_held(error):
        return Unavailable(
            f"The database file is held by another program ({text}); the write was not done."
            " Try again."
        )
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_INTERRUPT:
        return Interrupted(f"The database was told to stop ({text}).")
    if code == sqlite3.SQLITE_FULL:
        return Unavailable(
            f"The disk of the database is full ({text}); nothing was written. Free some space."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Corrupt(
            f"The database file is damaged ({text}). Stop the server and restore a backup;"
            " docs/durability.md says how."
        )
    if code in (
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOLFS,
    ):
        return Unavailable(
            f"The database file cannot be used ({text}). Check the disk and its permissions."
        )
    return None
