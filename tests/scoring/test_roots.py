"""Which tables a server's jobs may touch: decided on text, and again where links are followed."""

from __future__ import annotations

import pytest

from heddle.errors import Invalid
from heddle.scoring.roots import look, place

ROOTS = ("/srv/tables", "/data/share/", "s3://bucket/lake", "postgresql://db.local:5432/sales")


@pytest.mark.parametrize(
    ("address", "full"),
    [
        ("patients.parquet", "/srv/tables/patients.parquet"),
        ("a/b/../c.csv", "/srv/tables/a/c.csv"),
        ("folder/", "/srv/tables/folder/"),
        ("/srv/tables", "/srv/tables"),
        ("/data/share/x/*.parquet", "/data/share/x/*.parquet"),
        ("file:///data/share/x.csv", "/data/share/x.csv"),
        ("s3://bucket/lake/a/b.parquet", "s3://bucket/lake/a/b.parquet"),
        ("s3a://bucket/lake/a", "s3://bucket/lake/a"),
        ("postgres://ann@db.local:5432/sales#public.t", "postgresql://ann@db.local:5432/sales#public.t"),
        ("postgresql://db.local:5432/sales?sslmode=require&connect_timeout=5#t",
         "postgresql://db.local:5432/sales?sslmode=require&connect_timeout=5#t"),
    ],
)  # fmt: skip
def test_what_lies_under_a_root_is_found_in_full(address, full):
    assert place(address, ROOTS) == full


@pytest.mark.parametrize(
    "address",
    [
        "/etc/passwd",
        "../secrets.csv",
        "/srv/tables/../../etc/passwd",
        "/srv/tables-of-others/x",
        "/data/share/../x",
        "file:///etc/passwd",
        "s3://bucket/lakeside/x",
        "s3://bucket/other",
        "s3://other/lake",
        "s3://bucket/lake/../other",
        "s3://bucket/lake/%2e%2e/other",
        "s3://bucket/lake/x?endpoint=http://evil",
        "gs://bucket/lake/x",
        "http://host/x.csv",
        "https://bucket/lake/x",
        "postgresql://evil/sales#t",
        "postgresql://db.local:5432/sales/x?host=evil#t",
        "postgresql://db.local:5432/sales?host=evil#t",
        "postgresql://db.local:5432/sales?sslmode=require&host=evil#t",
        "postgresql://db.local:5432/sales?sslmode=%26host=evil#t",
        "postgresql://db.local:5432/sales?sslmode=a?host=evil#t",
        "postgresql://db.local:5432/sales%3Fhost=evil#t",
        "s3://bucket/lake/a?sslmode=require",
        "postgresql://db.local:5432/salesman#t",
        "postgresql://ann:secret@db.local:5432/sales#t",
        "SELECT * FROM '/etc/passwd'",
        "  from read_csv('/etc/passwd')",
        "duckdb:/srv/tables/x.db#t",
        "",
        "a\x00b",
        "x/*/../../../etc/passwd",
    ],
)
def test_everything_else_is_refused(address):
    with pytest.raises(Invalid) as refused:
        place(address, ROOTS)
    assert "secret" not in refused.value.message.replace("secrets", "")


def test_the_setting_to_change_is_named():
    with pytest.raises(Invalid, match=r"heddle serve --data-roots /lake/2026 .*HEDDLE_DATA_ROOTS"):
        place("/lake/2026/x.parquet", ROOTS)
    with pytest.raises(Invalid, match=r"--data-roots s3://other/a "):
        place("s3://other/a/b/c", ROOTS)
    with pytest.raises(Invalid, match="they may touch: none"):
        place("x.csv", ())


def test_links_out_of_the_roots_are_not_followed(tmp_path):
    roots = [str(tmp_path / "tables")]
    (tmp_path / "tables" / "sub").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "x.csv").write_text("a\n1\n")
    (tmp_path / "tables" / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "tables" / "in").symlink_to(tmp_path / "tables" / "sub")
    for address in ("new.parquet", "sub/x.csv", "in/x.csv", "sub/*.csv", "sub/", "not/yet/there"):
        assert look(address, roots).startswith(str(tmp_path / "tables"))
    for address in ("out/x.csv", "out/*.csv", "out", "out/new/"):
        with pytest.raises(Invalid, match="may not touch"):
            look(address, roots)
