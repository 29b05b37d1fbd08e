"""What the grammar reads, what it bounds, and that nothing else happens to any text."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heddle.errors import Invalid
from heddle.search import grammar
from heddle.search.grammar import (
    And,
    Comparison,
    Literal,
    Node,
    Not,
    Or,
    parse,
    parse_order,
    quote_key,
)


def refused(text: str, read: Callable[[str], object] = parse) -> Invalid:
    with pytest.raises(Invalid) as caught:
        read(text)
    assert 0 <= place(caught.value) <= len(text)
    return caught.value


def place(error: Invalid) -> int:
    """Where the error points; every one of a filter does."""
    assert error.position is not None
    return error.position


def comparison(text: str | Node) -> Comparison:
    """A filter, or a part of one, that is a single comparison."""
    node = parse(text) if isinstance(text, str) else text
    assert isinstance(node, Comparison)
    return node


def joined(text: str | Node) -> list[Node]:
    """The parts of a filter, or of a part of one, that AND or OR joins."""
    node = parse(text) if isinstance(text, str) else text
    assert isinstance(node, And | Or)
    return list(node.operands)


def refusal(read: Callable[[str], object], text: str) -> Invalid | None:
    try:
        read(text)
    except Invalid as error:
        return error
    return None


@pytest.mark.parametrize(
    ("text", "prefix", "key"),
    [
        ("status = 1", None, "status"),
        ("metrics.val.loss=1", "metrics", "val.loss"),
        ("metrics.`a b`=1", "metrics", "a b"),
        ('metrics."a b"=1', "metrics", "a b"),
        ("`metrics`.`a``b` = 1", "metrics", "a`b"),
        ("`metrics.a b` = 1", "metrics", "a b"),
        ("'x' = 1", None, None),
        ("params.a/b-c:d@e#f$g%h+i <1", "params", "a/b-c:d@e#f$g%h+i"),
        ("tags.ключ=1", "tags", "ключ"),
        ("run   name = 1", None, "run name"),
        ("Run Name LIKE 'x'", None, "Run Name"),
        ("like = 1", None, "like"),
        ("in in (1)", None, "in"),
        ("andy = 1", None, "andy"),
        ("nothing = 1", None, "nothing"),
        ("tags.and = 1", "tags", "and"),
        ("tags. = 1", None, None),
        ("tags.`` = 1", None, None),
        ("`` = 1", None, None),
        ("2fast = 1", None, None),
    ],
)
def test_keys(text, prefix, key):
    if key is None:
        refused(text)
    else:
        found = comparison(text)
        assert (found.prefix, found.key, found.position) == (prefix, key, 0)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", 1),
        ("-1", -1),
        ("+1", 1),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5E+3", -1500.0),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", float(2**63)),
        ("1" + "0" * 5000, 1.7976931348623157e308),
        ("-1e999", -1.7976931348623157e308),
        ("''", ""),
        ("'it''s'", "it's"),
        ('"say ""x"""', 'say "x"'),
        ("'a\\'", "a\\"),
        ("'\U0001f642'", "\U0001f642"),
    ],
)
def test_values(written, value):
    literal = comparison(f"k = {written}").values[0]
    assert literal == Literal(value, 4)
    assert type(literal.value) is type(value)


@pytest.mark.parametrize(
    "written", ["1x", "1-2", "1e", "0x10", "--1", "1_000", "'", '"a', "nan", "'\0'", "'\ud800'"]
)
def test_values_refused(written):
    assert refused(f"k = {written}").position == 4


@pytest.mark.parametrize(
    ("written", "op"),
    [
        ("== 1", "="),
        ("<> 1", "!="),
        ("<= 1", "<="),
        ("~ 'x'", "MATCHES"),
        ("!~ 'x'", "NOT MATCHES"),
        ("rlike 'x'", "MATCHES"),
        ("Not  Regexp 'x'", "NOT MATCHES"),
        ("not like 'x'", "NOT LIKE"),
        ("NOT ILIKE'x'", "NOT ILIKE"),
        ("not in(1)", "NOT IN"),
        ("not between 1 and 2", "NOT BETWEEN"),
        ("is null", "IS NULL"),
        ("is\tnot\nnull", "IS NOT NULL"),
    ],
)
def test_operators(written, op):
    assert comparison(f"k {written}").op == op


def spell(node):
    if isinstance(node, Comparison):
        return node.key
    if isinstance(node, Not):
        return f"!{spell(node.operand)}"
    mark = " & " if isinstance(node, And) else " | "
    return "(" + mark.join(map(spell, node.operands)) + ")"


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("a or b and c or d", "(a | (b & c) | d)"),
        ("(a or b) and (c or d)", "((a | b) & (c | d))"),
        ("a and (b and (c and d))", "(a & b & c & d)"),
        ("((a or b) or (c)) or d", "(a | b | c | d)"),
        ("not a and b", "(!a & b)"),
        ("not (a and b)", "!(a & b)"),
        ("not not a", "a"),
        ("not (not (a or b))", "(a | b)"),
        ("NOT(a)AND(b)", "(!a & b)"),
        ("not not not a or b", "(!a | b)"),
    ],
)
def test_trees(text, shape):
    filled = re.sub(r"\b[abcd]\b", r"\g<0>=1", text)
    assert spell(parse(filled)) == shape


def test_positions():
    one, negated = joined("a = 1 AND NOT (b > 'x' OR c IN (2, 3))")
    first = comparison(one)
    assert (first.position, first.op_position, first.values[0].position) == (0, 2, 4)
    assert isinstance(negated, Not)
    assert negated.position == 10
    inner = [comparison(part) for part in joined(negated.operand)]
    assert [part.position for part in inner] == [15, 26]
    assert [value.position for value in inner[1].values] == [32, 35]


def test_the_place_is_shown():
    error = refused("status = 'FINISHED' AND\nmetrics.rmse >> 1 AND " + "a = 1 AND " * 20)
    lines = error.message.splitlines()
    assert error.position == 38
    assert lines[0].endswith("(character 39).")
    assert lines[1][lines[2].index("^")] == ">"
    assert lines[1].startswith("  status")
    assert lines[1].endswith("…")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "not " * 25_000,
        "(a=1 or " * 300 + "a=1" + ")" * 300,
        "(a=1 and (b=1 or " * 60 + "a=1" + "))" * 60,
        "(not (a=1 and " * 60 + "a=1" + "))" * 60,
        " and ".join(["a=1"] * 2000),
        "a in (" + ",".join(["1"] * 20_000) + ")",
        "a" * 99_000 + " = 1",
        f"a like '{'%' * 2000}'",
        "a = 1" + " " * 100_000,
    ],
    ids=lambda text: text[:12],
)
def test_bounds(text):
    started = time.perf_counter()
    assert "Traceback" not in refused(text).message
    assert time.perf_counter() - started < 2


def test_much_is_allowed():
    flat = " and ".join(["a=1"] * grammar.MAX_COMPARISONS)
    assert len(joined(flat)) == grammar.MAX_COMPARISONS
    redundant = "(" * 199 + "a=1" + ")" * 199
    assert spell(parse(redundant)) == "a"
    leaning = "(" * 150 + "a=1" + " or b=1)" * 150
    assert len(joined(leaning)) == 151
    listed = "a in (" + ",".join(["'x'"] * grammar.MAX_VALUES) + ")"
    assert len(comparison(listed).values) == grammar.MAX_VALUES


@pytest.mark.parametrize(
    ("text", "prefix", "key", "descending"),
    [
        ("start_time", None, "start_time", False),
        (" metrics.rmse  DESC ", "metrics", "rmse", True),
        ("metrics.`a b` asc", "metrics", "a b", False),
        ("run name desc", None, "run name", True),
        ("`start_time` DESC", None, "start_time", True),
        ("params.desc", "params", "desc", False),
    ],
)
def test_orders(text, prefix, key, descending):
    term = parse_order(text)
    assert (term.prefix, term.key, term.descending) == (prefix, key, descending)


@pytest.mark.parametrize(
    "text", ["", "  ", "metrics.a DESC x", "metrics.a, b", "metrics.", "5", "'a'"]
)
def test_orders_refused(text):
    refused(text, parse_order)


PIECES = st.sampled_from(
    ["a", "metrics.", "run name", "`k`", "'v'", '"w"', "1", "-2e3", "(", ")", ",", "AND", "or", "NOT",
     "=", "!=", "<", "~", "!", "LIKE", "in", "between", "is", "null", "`", "'", '"', "\0", "é", "\ud800"]
)  # fmt: skip


@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(PIECES, max_size=25).map(" ".join),
        st.lists(PIECES).map("".join),
    )
)
@example("a not")
@example("a is not")
@example("a in (1")
@example("`")
def test_any_text_is_read_or_refused(text):
    for read in (parse, parse_order):
        error = refusal(read, text)
        if error is not None:
            assert 0 <= place(error) <= len(text)
            error.message.encode()


@given(st.text(min_size=1, max_size=40).filter(lambda key: not grammar._unstorable.search(key)))
def test_a_quoted_key_is_read_back(key):
    assert comparison(f"metrics.{quote_key(key)} = 1").key == key
    assert parse_order(f"metrics.{quote_key(key)} DESC").key == key
