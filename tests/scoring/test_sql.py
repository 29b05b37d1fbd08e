"""SQL with PREDICT on DuckDB: the same predictions as the model's own, wherever the call stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heddle.errors import HeddleError, Invalid
from heddle.scoring import calls, sql

ROWS = 5000
MAKE = '''
import mlflow.pyfunc, numpy as np, pandas as pd
from mlflow.models import infer_signature, set_signature
from mlflow.models.signature import ModelSignature
from mlflow.types import ParamSchema, ParamSpec
import mlflow.sklearn
from sklearn.linear_model import LinearRegression

x = pd.DataFrame({"age": [1.0, 2.0, 3.0, 9.0], "Bmi": [2.0, 1.0, 4.0, 4.0]})
y = x["age"] * 2 + x["Bmi"] + 1
line = LinearRegression().fit(x, y)
mlflow.sklearn.save_model(line, "line", signature=infer_signature(x, line.predict(x)))
twice = LinearRegression().fit(x[["age"]], x["age"] * 2)
one = x[["age"]].rename(columns={"age": "value"})
mlflow.sklearn.save_model(
    LinearRegression().fit(one, one["value"] * 2), "twice", signature=infer_signature(one, y)
)
open("many.py", "w").write("""
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel
import pandas as pd

class Many(PythonModel):
    def predict(self, context, model_input, params=None):
        by = (params or {}).get("by", 10.0)
        return pd.DataFrame({
            "low": model_input["age"] - by,
            "word": ["n" if v != v else "big" if v > 5 else "small" for v in model_input["age"]],
        })

set_model(Many())
""")
given = infer_signature(one.rename(columns={"value": "age"}),
                        pd.DataFrame({"low": [1.0], "word": ["a"]}), params={"by": 10.0})
mlflow.pyfunc.save_model("many", python_model="many.py", signature=given, pip_requirements=[])
'''


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("sql")
    subprocess.run([sys.executable, "-c", MAKE], cwd=made, check=True, capture_output=True)
    return made


@pytest.fixture(scope="session")
def patients(folder):
    random = np.random.default_rng(1)
    table = pa.table(
        {
            "id": np.arange(ROWS),
            "age": random.integers(20, 90, ROWS).astype(float),
            "bmi": random.normal(25, 4, ROWS),
            "town": [f"town {i % 7}" for i in range(ROWS)],
        }
    )
    pq.write_table(table, folder / "patients.parquet")
    return table


@pytest.fixture
def run(folder, patients, monkeypatch):
    """Runs a statement with the models' and the table's places put in."""
    assert patients.num_rows
    monkeypatch.setenv("HEDDLE_CACHE", str(folder / "cache"))

    def run(statement, connection=None, **more):
        return sql.sql(put(statement, folder), connection, processes=1, **more)

    return run


def put(statement, folder):
    for name in ("line", "twice", "many"):
        statement = statement.replace(f"'{name}'", f"'{folder / name}'")
    return statement.replace("'patients'", f"'{folder / 'patients.parquet'}'")


def line(age, bmi):
    return 2 * age + bmi + 1


def test_all_columns_by_their_names(run, patients):
    found = run("SELECT id, PREDICT('line', *) AS y FROM 'patients' ORDER BY id")
    wanted = line(patients["age"].to_numpy(), patients["bmi"].to_numpy())
    np.testing.assert_allclose(found["y"].to_numpy(), wanted, rtol=1e-12)
    assert found.num_rows == ROWS


FORMS = (
    "age, bmi", "bmi, age", "p.age, p.bmi", "* EXCLUDE (id)", "p.*", "age := age, bmi := bmi",
    "Bmi => bmi, AGE => age", "COLUMNS('age|bmi')", "age + 0, bmi * 1", '"age", "bmi"',
)  # fmt: skip


def test_columns_as_they_are_said(run, patients):
    asked = ", ".join(f"predict('line', {form}) y{at}" for at, form in enumerate(FORMS))
    found = run(f"SELECT {asked} FROM 'patients' p ORDER BY id")
    wanted = line(patients["age"].to_numpy(), patients["bmi"].to_numpy())
    for at, form in enumerate(FORMS):
        np.testing.assert_allclose(found[f"y{at}"].to_numpy(), wanted, rtol=1e-12, err_msg=form)


def test_anywhere_in_a_statement(run, patients):
    age, bmi = patients["age"].to_numpy(), patients["bmi"].to_numpy()
    y = line(age, bmi)
    statements = {
        "SELECT count(*) FROM 'patients' WHERE PREDICT('line', *) > 150": (y > 150).sum(),
        "SELECT max(PREDICT('line', *)) FROM 'patients' WHERE age > 40": y[age > 40].max(),
        "WITH s AS (SELECT *, PREDICT('line', *) AS y FROM 'patients')"
        " SELECT count(*) FROM s WHERE y > 150": (y > 150).sum(),
        "SELECT sum(z.y) FROM (SELECT PREDICT('line', *) y FROM 'patients') z": y.sum(),
        "SELECT count(*) FROM 'patients' a JOIN (SELECT 1 AS k) b ON PREDICT('line', a.age, a.bmi)"
        " > 150 * k": (y > 150).sum(),
        "SELECT PREDICT('twice', avg(age)) FROM 'patients'": 2 * age.mean(),
        "FROM 'patients' SELECT min(PREDICT('line', *))": y.min(),
        "SELECT count(*) FROM 'patients' GROUP BY ALL HAVING PREDICT('twice', max(age)) > 0": ROWS,
        "SELECT age FROM 'patients' ORDER BY PREDICT('line', *) DESC LIMIT 1": age[y.argmax()],
        "SELECT (SELECT sum(PREDICT('twice', age)) FROM 'patients')": 2 * age.sum(),
        "SELECT sum(CASE WHEN id < 10 THEN PREDICT('twice', age) END) FROM 'patients'": (
            2 * age[:10].sum()
        ),
    }
    # All at once, as starting a model takes longer than any of them.
    found = run(f"SELECT {', '.join(f'({statement})' for statement in statements)}")
    for column, (statement, wanted) in zip(found.columns, statements.items(), strict=True):
        assert column[0].as_py() == pytest.approx(float(wanted), rel=1e-9), statement


def test_several_models_and_calls_within_calls(run, patients):
    found = run(
        "SELECT PREDICT('twice', PREDICT('line', age, bmi)) AS a, PREDICT('twice', age) AS b,"
        " PREDICT('line', *) AS c FROM 'patients' ORDER BY id"
    )
    y = line(patients["age"].to_numpy(), patients["bmi"].to_numpy())
    np.testing.assert_allclose(found["a"].to_numpy(), 2 * y, rtol=1e-9)
    np.testing.assert_allclose(found["b"].to_numpy(), 2 * patients["age"].to_numpy(), rtol=1e-9)
    np.testing.assert_allclose(found["c"].to_numpy(), y, rtol=1e-12)


def test_several_outputs_are_one_struct_and_params_are_named(run):
    found = run(
        "SELECT PREDICT('many', age) m, PREDICT('many', age, by := 2 + 1).low AS low,"
        " (m).word AS word FROM (VALUES (1.0), (7.0), (NULL)) t(age)"
    )
    assert found["m"].to_pylist()[:2] == [
        {"low": -9.0, "word": "small"}, {"low": -3.0, "word": "big"},
    ]  # fmt: skip
    np.testing.assert_array_equal(found["low"].to_numpy(), [-2.0, 4.0, np.nan])
    assert found["word"].to_pylist() == ["small", "big", "n"]


def test_no_rows(run):
    found = run(
        "SELECT PREDICT('line', *) AS y, PREDICT('many', age) m FROM 'patients' WHERE false"
    )
    assert found.num_rows == 0
    assert found.schema.field("y").type == pa.float64()


def test_tables_of_a_connection_and_functions_that_go_again(run):
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT 3.0::DOUBLE AS age, 1.0::DOUBLE AS bmi")
        found = run("CREATE TABLE u AS SELECT PREDICT('line', *) AS y FROM t", connection)
        assert connection.execute("SELECT y FROM u").fetchone() == pytest.approx((8.0,))
        assert found.num_rows <= 1
        functions = "SELECT count(*) FROM duckdb_functions() WHERE function_name LIKE 'heddle%'"
        assert connection.execute(functions).fetchone() == (0,)


WRONG = [
    ("SELECT PREDICT('line', age) FROM 'patients'", "Bmi", "PREDICT"),
    ("SELECT PREDICT('line', town, bmi) FROM 'patients'", "age", "PREDICT"),
    ("SELECT PREDICT('line', *) FROM (SELECT age, bmi::VARCHAR AS bmi FROM 'patients')", "Bmi", "PREDICT"),
    ("SELECT PREDICT('line', nothing) FROM 'patients'", "nothing", "nothing"),
    ("SELECT PREDICT('many', age, of := 3) FROM 'patients'", "neither a param nor a column 'of'", "3)"),
    ("SELECT PREDICT('many', age, by := age) FROM 'patients'", "does not depend on the rows", "age)"),
    ("SELECT PREDICT(age, bmi) FROM 'patients'", "takes the model first", "PREDICT"),
    ("SELECT PREDICT('line') FROM 'patients'", "needs columns", "PREDICT"),
    ("SELECT PREDICT('line' FROM 'patients'", "is not closed", "PREDICT"),
    ("SELECT PREDICT('/nowhere', *) FROM 'patients'", "no folder", "PREDICT"),
    ("SELECT a b c, PREDICT('line', *) FROM 'patients'", "cannot be read", "c,"),
    ("SELECT PREDICT('/x', *) FROM t; SELECT 1", "One statement", None),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "words", "at"), WRONG, ids=lambda value: str(value)[:40])
def test_what_is_wrong_is_said_with_its_place(run, folder, statement, words, at):
    with pytest.raises(Invalid) as refused:
        run(statement)
    assert words in refused.value.message
    if at is not None:
        said = put(statement, folder)
        assert said[refused.value.position :].startswith(at), said[refused.value.position :]


def test_a_model_that_fails_says_so_in_its_own_words(run, tmp_path):
    program = MAKE.partition("x = pd")[0] + (
        'open("bad.py", "w").write("""\n'
        "from mlflow.models import set_model\nfrom mlflow.pyfunc import PythonModel\n"
        "class Bad(PythonModel):\n    def predict(self, context, model_input, params=None):\n"
        "        if (model_input['age'] > 80).any():\n            raise ValueError('too old')\n"
        "        return model_input['age']\n"
        'set_model(Bad())\n""")\n'
        "s = infer_signature(pd.DataFrame({'age': [1.0]}), pd.Series([1.0]))\n"
        "mlflow.pyfunc.save_model('bad', python_model='bad.py', signature=s, pip_requirements=[])\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    with pytest.raises(HeddleError, match="too old"):
        run(f"SELECT sum(PREDICT('{tmp_path / 'bad'}', age)) FROM range(1, 100000) t(age)",
            casts=["*"])  # fmt: skip


def test_the_command(folder, patients, tmp_path):
    environment = os.environ | {"HEDDLE_CACHE": str(tmp_path / "cache")}

    def heddle(statement, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "heddle", "sql", put(statement, folder), *arguments],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    statement = "SELECT id, PREDICT('line', *) AS y FROM 'patients' ORDER BY id"
    out = tmp_path / "out.parquet"
    done = heddle(statement, "--output", str(out))
    assert (done.returncode, done.stderr) == (0, f"{ROWS:,} rows written to {out}\n")
    written = pq.read_table(out)
    wanted = line(patients["age"].to_numpy(), patients["bmi"].to_numpy())
    np.testing.assert_allclose(written["y"].to_numpy(), wanted, rtol=1e-12)
    again = heddle(statement, "--output", str(out))
    assert again.returncode == 2
    assert "there already" in again.stderr
    shown = heddle(f"{statement} LIMIT 2", "--json")
    assert [json.loads(each)["id"] for each in shown.stdout.splitlines()] == [0, 1]
    assert "id" in heddle(statement, "--limit", "3").stdout
    wrong = heddle("SELECT PREDICT('line', nothing) FROM 'patients'")
    assert wrong.returncode == 2
    *_, pointed, mark = wrong.stderr.splitlines()
    assert pointed[mark.index("^") :].startswith("nothing")


def test_calls_are_found_only_where_they_are():
    found = calls.find_calls(
        "SELECT 'PREDICT(x)', t.predict(1), predicts('a', b), \"PREDICT\"('m/1', a), -- PREDICT('m')\n"
        "Predict ( 'n@c' , f(a, b), k => 3 )",
        "duckdb",
    )
    assert [(call.model, len(call.arguments)) for call in found] == [("m/1", 1), ("n@c", 2)]
    assert [argument.name for argument in found[1].arguments] == ["", "k"]
    assert calls.rewrite("SELECT 1", "duckdb", lambda *_: "") == "SELECT 1"
