"""What the generated sequences are made of: keys, values, filters, orders.

Small alphabets on purpose: two calls should often meet on one key, step or value. Odd ones are
mixed in, never so many that most calls fail. No text holds `$`, which names ids in a call.
"""

from typing import Any

from hypothesis import strategies as st

GOOD_KEYS = ["a", "b", "a/b", "c d", "é", "x.y-z"]
ODD_KEYS = ["a//b", "", "k" * 250, "k" * 251, "a'b", "/a", "."]

good_keys = st.sampled_from(GOOD_KEYS)
keys = st.one_of(*[good_keys] * 6, st.sampled_from(ODD_KEYS))
values = st.sampled_from(["", "1", "2", "x", "Y y", "é", "10", "it's"])
numbers: st.SearchStrategy[Any] = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([1.5, -0.0, "NaN", "Infinity", "-Infinity", "2", 1e308, 0.1]),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
)
timestamps: st.SearchStrategy[Any] = st.one_of(
    *[st.integers(0, 4)] * 8, st.sampled_from(["3", 2**53 + 1, -1])
)
steps: st.SearchStrategy[Any] = st.one_of(*[st.integers(-2, 4)] * 8, st.sampled_from(["1", 2**62]))
view_types = st.sampled_from(["ACTIVE_ONLY", "DELETED_ONLY", "ALL", 1, 2, 3])
page_sizes = st.integers(1, 3)


def pairs(of: st.SearchStrategy[str] = keys) -> st.SearchStrategy[dict[str, str]]:
    """Key and value, as params and tags are written."""
    return st.fixed_dictionaries({"key": of, "value": values})


true_numbers = numbers.filter(lambda number: number != "NaN")


def points(
    of: st.SearchStrategy[str] = keys, values: st.SearchStrategy[Any] = numbers
) -> st.SearchStrategy[dict[str, Any]]:
    """Points of metrics, the step often left out."""
    return st.fixed_dictionaries(
        {"key": of, "value": values, "timestamp": timestamps}, optional={"step": steps}
    )


datasets = st.fixed_dictionaries(
    {
        "dataset": st.fixed_dictionaries(
            {
                "name": st.sampled_from(["d", "e"]),
                "digest": st.sampled_from(["1", "2"]),
                "source_type": st.just("local"),
                "source": st.sampled_from(["x", "y"]),
            },
            optional={"schema": st.just("{}"), "profile": st.sampled_from(["", "{}"])},
        )
    },
    optional={
        "tags": st.lists(
            st.fixed_dictionaries(
                {"key": st.sampled_from(["mlflow.data.context", "t"]), "value": values}
            ),
            max_size=2,
            unique_by=lambda tag: tag["key"],
        )
    },
)


def _quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"


texts = values.map(_quoted)
figures = st.sampled_from(["0", "1", "-1", "1.5", "2", "1e2", "-0.0"])
orderings = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
likenesses = st.sampled_from(["=", "!=", "LIKE", "ILIKE", "like", "Ilike"])
patterns = st.sampled_from(["'%'", "'_'", "'%y%'", "'x'", "'1%'", "''", "'Y Y'"])
ticked = good_keys.map(lambda key: key if key in ("a", "b") else f"`{key}`")


def compared(field: st.SearchStrategy[str], operators: Any, operands: Any) -> Any:
    """A comparison in a filter."""
    return st.tuples(field, operators, operands).map(" ".join)


def keyed(prefixes: list[str]) -> st.SearchStrategy[str]:
    """A field with a prefix and a key, such as a tag."""
    return st.tuples(st.sampled_from(prefixes), ticked).map(".".join)


wrong = st.sampled_from(
    ["", "nonsense", "a =", "a.b = 1", "metrics.a = 'x'", "params.a = 1", "a = 'x' OR b = 'y'"]
)


def filters(*comparisons: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Zero to three of `comparisons` joined; now and then something that is no filter."""
    joined = st.lists(st.one_of(*comparisons), max_size=3).map(" AND ".join)
    return st.one_of(*[joined] * 9, wrong)


run_filters = filters(
    compared(keyed(["metrics", "metric"]), orderings, figures),
    compared(keyed(["params", "parameter"]), likenesses, st.one_of(texts, patterns)),
    compared(keyed(["tags", "tag"]), likenesses, st.one_of(texts, patterns)),
    compared(st.sampled_from(["run_name", "attributes.run_name"]), likenesses, patterns),
    compared(
        st.sampled_from(["status", "attribute.status"]),
        likenesses,
        st.sampled_from(["'RUNNING'", "'FINISHED'", "'F%'"]),
    ),
    compared(st.sampled_from(["start_time", "end_time", "created"]), orderings, figures),
    compared(st.sampled_from(["datasets.name", "dataset.digest"]), likenesses, patterns),
    keyed(["tags", "params"]).map(lambda field: f"{field} IS NULL"),
    keyed(["tags", "params"]).map(lambda field: f"{field} IS NOT NULL"),
)
run_orders = st.lists(
    st.tuples(
        st.one_of(
            keyed(["metrics", "params", "tags"]),
            st.sampled_from(["start_time", "end_time", "status", "run_name", "user_id"]),
        ),
        st.sampled_from(["", " ASC", " DESC", " desc"]),
    ),
    max_size=3,
    unique_by=lambda item: item[0],
).map(lambda items: ["".join(item) for item in items])
model_filters = filters(
    compared(keyed(["metrics"]), orderings, figures),
    compared(keyed(["params", "tags"]), likenesses, st.one_of(texts, patterns)),
    compared(st.sampled_from(["name", "attributes.name"]), likenesses, st.one_of(texts, patterns)),
    compared(
        st.just("status"), st.sampled_from(["=", "!="]), st.sampled_from(["'READY'", "'PENDING'"])
    ),
)
model_orders = st.lists(
    st.fixed_dictionaries(
        {
            "field_name": st.one_of(
                keyed(["metrics"]), st.sampled_from(["name", "creation_time", "status"])
            )
        },
        optional={"ascending": st.booleans()},
    ),
    max_size=2,
    unique_by=lambda item: item["field_name"],
)
