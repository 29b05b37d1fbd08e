"""LIKE, ILIKE and MATCHES mean one thing, whichever database asks."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heddle.errors import Invalid
from heddle.search import constructs, patterns

TEXTS = ("", "a", "ab", "A", "b", "a b", "a\nb", "0", "a1", "_", "-", "]", "^", "\\", "a]b", "é", "É", "aé",
         "\U0001f642", "\t", ".", "[a]", "x{2}", "xx", "(", "$", "*", "%", "a%", "#a", "'")  # fmt: skip
quick = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def found(connection, op, pattern):
    """Which of the texts the database finds."""
    forms = [sa.literal(form, sa.Text()) for form in patterns.forms(op, pattern)]
    rows = [sa.select(sa.literal(text, sa.Text()).label("t")) for text in TEXTS]
    table = sa.union_all(*rows).subquery()
    select = sa.select(table.c.t).where(constructs.PATTERNS[op](table.c.t, *forms))
    return set(connection.scalars(select))


ATOMS = ["a", "b", "x", "1", "é", ".", r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"\.", r"\\", r"\]",
         r"\-", "[a-z]", "[^a]", "[]a]", "[^]]", r"[\]\\^-]", r"[\d_]", r"[\s-]", "[[:alpha:]]",
         "[[:punct:]]", "[a[:digit:]]", "[-a]", r"\x61", r"\x{1F642}", r"\t", r"[\t\x41]", "_", "-",
         "#", "'", "%", "]", "}", "\n", " ", "{", "a{,2}"]  # fmt: skip


def repeated(parts):
    atom, count = parts
    return atom + count


regexes = st.recursive(
    st.sampled_from([*ATOMS, "^", "$", r"\A", r"\z", r"a\b", r"a\B", ""]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map("|".join),
        inner.map("({})".format),
        inner.map("(?:{})".format),
        inner.map("(?P<name>{})".format),
        st.tuples(
            inner.map("({})".format),
            st.sampled_from(["*", "+", "?", "*?", "??", "{2}", "{1,}", "{0,2}?"]),
        ).map(repeated),
        st.tuples(st.sampled_from(ATOMS[:20]), st.sampled_from(["*", "+", "?", "{1,2}"])).map(
            repeated
        ),
    ),
    max_leaves=6,
)


@quick
@given(regex=regexes | regexes.map("(?i){}".format))
def test_regular_expressions_agree(connection, regex):
    try:
        patterns.check_regex(regex)
    except Invalid:
        return
    assert found(connection, "MATCHES", regex) == {t for t in TEXTS if patterns.matches(regex, t)}


@quick
@given(regex=st.text(alphabet="ab(|)[]{}^$*+?.\\-:,=!<>P1dwsbAzZxiQEpu é&", max_size=14))
def test_any_regular_expression_is_understood_or_refused(connection, regex):
    try:
        patterns.check_regex(regex)
    except Invalid:
        return
    assert found(connection, "MATCHES", regex) == {t for t in TEXTS if patterns.matches(regex, t)}


@pytest.mark.parametrize(
    "regex",
    ["(", "[", "a**", "*", r"\1", "(?=a)", "(?<!a)", "a{2}{3}", "^*", r"\b+", "a{300}", "(?s)a", "a(?i)b",
     r"\pL",
     r"\Qa\E", r"\C", r"\071", "[[:^alpha:]]", r"[\D]", "(((a{100}){100}){100})", "\\", "(?i:a)", r"\x00"],
)  # fmt: skip
def test_refused_regular_expressions(regex):
    with pytest.raises(Invalid):
        patterns.check_regex(regex)


def like_reference(pattern, *, fold):
    parts = [{"%": ".*", "_": "."}.get(c) or re.escape(c) for c in pattern]
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if fold else 0))


@quick
@given(pattern=st.text(alphabet="%_aAbé É[]*?\\^-]{1\U0001f642'", max_size=8), fold=st.booleans())
def test_like_agrees(connection, pattern, fold):
    reference = like_reference(pattern, fold=fold)
    wanted = {text for text in TEXTS if reference.fullmatch(text)}
    assert found(connection, "ILIKE" if fold else "LIKE", pattern) == wanted


def test_lower_keeps_every_character():
    for text in ("ΟΔΟΣ", "İSTANBUL", "STRAẞE", "ǅ", "Ⅷ"):
        assert len(patterns.lower(text)) == len(text)
    assert patterns.lower("ΟΔΟΣ") == "οδοσ"


@pytest.mark.timeout(20)
def test_no_pattern_takes_forever(connection):
    text = "a" * 6000
    hard = [
        "(a*)*b",
        "(a|a)*b",
        "(a|aa)+$b",
        "a?" * 100 + "a" * 100 + "b",
        "(.*)(.*)(.*)(.*)(.*)x",
        "(a{1,30}){1,30}b",
    ]
    for pattern in hard:
        forms = [sa.literal(form, sa.Text()) for form in patterns.forms("MATCHES", pattern)]
        value = sa.literal(text, sa.Text())
        assert not connection.scalar(sa.select(constructs.PATTERNS["MATCHES"](value, *forms)))
    many = "%a" * 300 + "b"
    forms = [sa.literal(form, sa.Text()) for form in patterns.forms("LIKE", many)]
    assert not connection.scalar(
        sa.select(constructs.PATTERNS["LIKE"](sa.literal(text, sa.Text()), *forms))
    )
