"""Generated filters and orders find what a slow reference in Python finds, on both databases.

The strategies make a filter's text together with a function that says what it should find, so the
reference shares no code with the parser or the compiler.
"""

from __future__ import annotations

import functools
import math
import re
from unittest import mock

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heddle.search import patterns, sql

KEYS = ("k", "k.l", "a b", 'é`"', "absent")
NAMES = ("", "a", "A", "é", "É", "a_b", "ab", "[a]", "a*b", "ΣΑΣ")
LONG = "l" * 70
VALUES = ("", "0.1", "1", "10", "nan", "a", "A", "b", "[a-b]", "a?c", LONG, LONG + "a", "é", "\U0001f642",
          "x\ny", "\\", "it's", "l" * 64, 'say "x"')  # fmt: skip
PATTERNS = (
    "%",
    "",
    "a",
    "a%",
    "%b",
    "_",
    "__",
    "%\\%",
    "[%",
    "%é",
    "É",
    "Σ%",
    "l%b",
    "x%y",
    "%%",
    "*",
    "A?c",
    "1_",
)
REGEXES = ("^a", "a$", "^.$", "[a-c]", "^$", "l{64}", "a|1", "^(0\\.)?1", "x.y", "\\d", "^[^a]*$")
NUMBERS = (0, 1, -1.5, 0.1, 1e300, 3, 7, 2**53 + 1, 10, 1_700_000_000_000, -5)


def quoted(text):
    return st.sampled_from(
        ["'" + text.replace("'", "''") + "'", '"' + text.replace('"', '""') + '"']
    )


def spelt(word):
    return st.sampled_from([word, word.lower()])


def keys(prefixes):
    """``(text, key)`` of one key of a keyed table."""

    def spell(parts):
        prefix, key, mark = parts
        bare = re.fullmatch(r"[\w.]+", key)
        name = (
            key
            if bare and mark == ""
            else (mark or "`") + key.replace(mark or "`", (mark or "`") * 2) + (mark or "`")
        )
        return f"{prefix}.{name}", key

    return st.tuples(
        st.sampled_from(prefixes), st.sampled_from(KEYS), st.sampled_from(["", "`", '"'])
    ).map(spell)


# A field is (text of the key, function from a run to its value or None for lacking).
params = keys(["params", "param"]).map(lambda k: (k[0], lambda run: run.params.get(k[1])))
tags = keys(["tags", "tag"]).map(lambda k: (k[0], lambda run: run.tags.get(k[1])))
metrics = keys(["metrics", "metric"]).map(lambda k: (k[0], lambda run: run.metrics.get(k[1])))
param_numbers = keys(["params"]).map(lambda k: (k[0], lambda run: number_of(run.params.get(k[1]))))
text_attributes = st.sampled_from(
    [
        ("run_name", lambda run: run.name),
        ("run name", lambda run: run.name),
        ("attributes.status", lambda run: run.status),
        ("`run_id`", lambda run: run.run_id),
    ]
)
number_attributes = st.sampled_from(
    [
        ("start_time", lambda run: run.start_time),
        ("created", lambda run: run.start_time),
        ("attr.end_time", lambda run: run.end_time),
    ]
)


def number_of(text):
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def like(pattern, value, *, fold):
    if fold:
        pattern, value = patterns.lower(pattern), patterns.lower(value)
    parts = [{"%": ".*", "_": "."}.get(c) or re.escape(c) for c in pattern]
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


COMPARES = {
    "=": lambda v, w: v == w,
    "!=": lambda v, w: v != w,
    "<": lambda v, w: v < w,
    "<=": lambda v, w: v <= w,
    ">": lambda v, w: v > w,
    ">=": lambda v, w: v >= w,
}


texts = st.sampled_from(VALUES + NAMES)


@st.composite
def text_tests(draw):
    """``(text, test)`` of an operator on a text and its literals."""
    op = draw(st.sampled_from(["=", "==", "!=", "<>", "LIKE", "ILIKE", "IN", "~"]))
    if op in ("=", "==", "!=", "<>"):
        value = draw(texts)
        return (
            f"{op} {draw(quoted(value))}",
            lambda v: (v == value) == ("=" in op and "!" not in op),
        )
    negated = draw(st.booleans())
    word = draw(spelt("NOT")) + " " if negated else ""
    if op == "IN":
        chosen = draw(st.lists(texts, min_size=1, max_size=4))
        listed = ", ".join([draw(quoted(value)) for value in chosen])
        return f"{word}{draw(spelt(op))} ({listed})", lambda v: (v in chosen) != negated
    if op == "~":
        regex = draw(st.sampled_from(REGEXES))
        text = ("!~ " if negated else "~ ") + draw(quoted(regex))
        return text, lambda v: bool(re.search(regex, v, re.DOTALL | re.ASCII)) != negated
    pattern = draw(st.sampled_from(PATTERNS))
    text = f"{word}{draw(spelt(op))} {draw(quoted(pattern))}"
    return text, lambda v: like(pattern, v, fold=op == "ILIKE") != negated


@st.composite
def number_tests(draw):
    """``(text, test)`` of an operator on a number; NaN satisfies != and NOT IN only."""
    op = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "IN", "BETWEEN"]))
    if op in COMPARES:
        value = draw(st.sampled_from(NUMBERS))
        return f"{op}{value!r}", functools.partial(_compare, op, value)
    negated = draw(st.booleans())
    word = "NOT " if negated else ""
    if op == "IN":
        chosen = draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3))
        return f"{word}IN ({','.join(map(repr, chosen))})", lambda v: (v in chosen) != negated
    low, high = draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(NUMBERS))
    text = f"{word}BETWEEN {low!r} AND {high!r}"
    return text, lambda v: not math.isnan(v) and (low <= v <= high) != negated


def _compare(op, wanted, value):
    return COMPARES[op](value, wanted)


@st.composite
def comparisons(draw):
    fields, tests = draw(
        st.sampled_from(
            [
                (text_attributes, text_tests()),
                (number_attributes, number_tests()),
                (metrics, number_tests()),
                (params, text_tests()),
                (param_numbers, number_tests()),
                (tags, text_tests()),
                (None, text_tests()),
            ]
        )
    )
    if fields is None:
        return draw(dataset_comparisons(tests))
    text, get = draw(fields)
    if draw(st.integers(0, 9)) == 0 and fields is not param_numbers:
        negated = draw(st.booleans())
        word = "IS NOT NULL" if negated else "IS NULL"
        return f"{text} {draw(spelt(word))}", lambda run: (get(run) is None) != negated
    written, test = draw(tests)

    def holds(run):
        value = get(run)
        return value is not None and test(value)

    return f"{text} {written}", holds


@st.composite
def dataset_comparisons(draw, tests):
    place = draw(st.sampled_from([0, 1]))
    written, test = draw(tests)

    def holds(run):
        return any(pair[place] is not None and test(pair[place]) for pair in run.datasets)

    return (
        f"dataset{draw(st.sampled_from(['', 's']))}.{('name', 'context')[place]} {written}",
        holds,
    )


def negate(part):
    text, holds = part
    return f"NOT ({text})", lambda run: not holds(run)


def join(parts, word, rule):
    text = f" {word} ".join(f"({text})" for text, _ in parts)
    return text, lambda run: rule(holds(run) for _, holds in parts)


filters = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        inner.map(negate),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: join(parts, "AND", all)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: join(parts, "or", any)),
    ),
    max_leaves=5,
)


def missing_last(value, *, descending):
    """A key for sorting one term: numbers or texts, NaN, missing."""
    if value is None:
        return (2, 0)
    if isinstance(value, float) and math.isnan(value):
        return (1, 0)
    return (0, Reversed(value) if descending else value)


@functools.total_ordering
class Reversed:
    """Sorts against the order of what it holds."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return self.value == other.value

    def __hash__(self):
        return hash(self.value)

    def __lt__(self, other):
        return other.value < self.value


def field_of(text):
    """The same for all spellings of a field."""
    alias = {"created": "start_time", "run name": "run_name"}.get(text, text)
    return re.sub(r'[`".]', "", re.sub(r"^(metric|param|tag)s?\.", r"\1 ", alias))


order_fields = st.one_of(metrics, metrics, params, tags, text_attributes, number_attributes)
orders = st.lists(
    st.tuples(order_fields, st.sampled_from(["", " ASC", " desc"])),
    max_size=3,
    unique_by=lambda term: field_of(term[0][0]),
)


def reference(runs, holds, order, experiments):
    found = [run for run in runs if run.experiment_id in experiments and holds(run)]
    found.sort(key=lambda run: (-run.start_time, run.run_id))
    for (_, get), direction in reversed(order):
        found = sorted(found, key=ranking(get, descending=direction == " desc"))
    return [run.id for run in found]


def ranking(get, *, descending):
    return lambda run: missing_last(get(run), descending=descending)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    found=st.none() | filters,
    order=orders,
    experiments=st.sampled_from([(1,), (1, 2), (2, 3, 1), (9,)]),
    few=st.sampled_from([0, 5, 10_000]),
    window=st.tuples(st.integers(0, 160), st.integers(1, 40)),
    told=st.booleans(),
)
def test_search_agrees_with_the_reference(many, found, order, experiments, few, window, told):
    text, holds = found or ("", lambda _: True)
    wanted = reference(many.runs, holds, order, experiments)
    terms = [key + direction for (key, _), direction in order]
    offset, limit = window
    with mock.patch.object(sql, "FEW", few):
        assert many.search(text, terms, experiments=experiments, told=told) == wanted
        page = many.search(
            text, terms, experiments=experiments, told=told, offset=offset, limit=limit
        )
        assert page == wanted[offset : offset + limit]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(found=filters, order=orders)
def test_where_and_order_stand_alone(many, found, order):
    catalogue = many.catalogue
    text, holds = found
    condition = sql.where(text, catalogue)
    assert condition is not None
    ordering = sql.order([key + direction for (key, _), direction in order], catalogue)
    select = (
        sa.select(catalogue.id)
        .select_from(ordering.source(catalogue.table))
        .where(condition)
        .order_by(*ordering.by)
    )
    assert list(many.connection.scalars(select)) == reference(many.runs, holds, order, (1, 2, 3))
