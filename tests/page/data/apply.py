"""A model that takes its time, and tables for it under the server's data root."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from mlflow.models import infer_signature

ROWS = 3000
CODE = '''
import time

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Demand(PythonModel):
    """Demand falls with the price."""

    def predict(self, context, model_input, params=None):
        time.sleep(0.05)
        return 100 - 2 * model_input["price"] + 5 * model_input["promo"]


set_model(Demand())
'''


def main() -> None:
    """Register the model; write a table that fits, one with other names, and one that is no table."""
    tables = Path(os.environ["HEDDLE_TABLES"])
    (tables / "stores").mkdir(parents=True, exist_ok=True)
    prices = [10 + (n * 7 % 100) / 5 for n in range(ROWS)]
    promos = [float(n % 3 == 0) for n in range(ROWS)]
    fits = pa.table({"id": range(ROWS), "price": prices, "promo": promos})
    pq.write_table(fits, tables / "stores" / "weeks.parquet")
    # A column under another name, and one whose whole numbers the model takes only when cast.
    other = pa.table({"id": range(ROWS), "cost": prices, "promo": [n % 2 for n in range(ROWS)]})
    pq.write_table(other, tables / "stores" / "other.parquet")
    pacsv.write_csv(fits.slice(0, 50), tables / "few.csv")
    (tables / "broken.parquet").write_bytes(b"no table")
    mlflow.set_experiment("demand")
    example = pd.DataFrame({"price": [10.0, 20.0, 30.0], "promo": [0.0, 1.0, 0.0]})
    with tempfile.TemporaryDirectory() as place, mlflow.start_run(run_name="linear"):
        code = Path(place) / "demand.py"
        code.write_text(CODE)
        mlflow.pyfunc.log_model(
            name="model",
            python_model=str(code),
            signature=infer_signature(example, pd.Series([80.0, 65.0, 40.0], name="demand")),
            input_example=example,
            pip_requirements=[],
            registered_model_name="demand",
        )


if __name__ == "__main__":
    main()
