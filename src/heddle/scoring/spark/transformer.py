"""``ModelTransformer``: a version applied to DataFrames, in the shape that Fabric's users know.

It is a transformer of pyspark.ml like any other, so it may stand in a Pipeline, be copied and saved:
all its params are plain values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.ml import Transformer
from pyspark.ml.param import Param, Params
from pyspark.ml.param.shared import HasInputCols, HasOutputCol, HasOutputCols
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.sql import SparkSession

from heddle.errors import Invalid
from heddle.scoring import models
from heddle.scoring.plan import Model, Plan
from heddle.scoring.signature import Signature, read_model
from heddle.scoring.spark import driver, functions


def _param(name: str, about: str) -> Any:
    return Param(Params._dummy(), name, about)  # noqa: SLF001 -- how pyspark.ml declares params


class ModelTransformer(
    Transformer, HasInputCols, HasOutputCol, HasOutputCols, DefaultParamsReadable,
    DefaultParamsWritable,
):  # fmt: skip
    """Applies a model's version to DataFrames.

    Args:
        inputCols: the table's columns that the model is given: by name where they are named as its
            own are, else in its order; unless told, those named as its own.
        outputCol: the name of the column of predictions; the model's own, or ``predictions``, unless
            told.
        outputCols: their names where the model gives several columns.
        modelName: the model; with no version any address of a model, such as ``diabetes@champion``,
            ``models:/m-...`` or a folder.
        modelVersion: a number, ``latest``, or an alias with ``@`` before it.
        modelAlias: an alias, in place of a version.
        workspace: where the model is, ``default`` unless told.
        server: a Heddle server's address; HEDDLE_URL or MLFLOW_TRACKING_URI unless told.
        data: a data folder, instead of a server.
        params: params of the model.
        mapping: the table's column for a model's column, where names differ.
        casts: the model's columns for which an offered cast is accepted; ``["*"]`` for all.
        allowSuspicious: apply a version whose files a scan found suspicious.

    What does not fit is said when a table is given, before its first row.
    """

    modelName = _param("modelName", "the model, or any address of one")
    modelVersion = _param("modelVersion", "a number, latest, or @alias")
    modelAlias = _param("modelAlias", "an alias in place of a version")
    workspace = _param("workspace", "where the model is")
    server = _param("server", "a Heddle server's address")
    data = _param("data", "a data folder, instead of a server")
    params_ = _param("params_", "params of the model")
    mapping = _param("mapping", "the table's column for a model's column")
    casts = _param("casts", "the model's columns for which an offered cast is accepted")
    allowSuspicious = _param("allowSuspicious", "apply a version found suspicious")

    def __init__(
        self,
        *,
        inputCols: Sequence[str] | None = None,
        outputCol: str | None = None,
        outputCols: Sequence[str] | None = None,
        modelName: str | None = None,
        modelVersion: int | str | None = None,
        modelAlias: str | None = None,
        workspace: str = "default",
        server: str = "",
        data: str = "",
        params: Mapping[str, Any] | None = None,
        mapping: Mapping[str, str] | None = None,
        casts: Sequence[str] = (),
        allowSuspicious: bool = False,
    ) -> None:
        super().__init__()
        given = {
            "inputCols": None if inputCols is None else list(inputCols),
            "outputCol": outputCol,
            "outputCols": None if outputCols is None else list(outputCols),
            "modelName": modelName,
            "modelVersion": modelVersion,
            "modelAlias": modelAlias,
            "workspace": workspace,
            "server": server,
            "data": data,
            "params_": dict(params or {}),
            "mapping": dict(mapping or {}),
            "casts": list(casts),
            "allowSuspicious": allowSuspicious,
        }
        self._set(**{name: value for name, value in given.items() if value is not None})

    def _value(self, name: str, otherwise: Any = None) -> Any:
        param = self.getParam(name)
        return self.getOrDefault(param) if self.isSet(param) else otherwise

    def _uri(self) -> str:
        name, version = self._value("modelName"), self._value("modelVersion")
        alias = self._value("modelAlias")
        if not name:
            raise Invalid("No model is named; give modelName= and modelVersion=.")
        if alias and version is not None:
            raise Invalid("A model is named by a version or by an alias, not both.")
        if alias:
            return f"{name}@{alias}"
        if version is None:
            return str(name)
        text = str(version)
        return f"{name}{text}" if text.startswith("@") else f"{name}/{text}"

    def _plan(self) -> Plan:
        """The plan that the params mean; raises ``Invalid``."""
        return driver.plan_in_hand(
            Model(uri=self._uri(), workspace=self._value("workspace")),
            predictions=self._value("outputCols")
            or [self._value("outputCol")][: self.isSet(self.getParam("outputCol"))],
            mapping=dict(self._value("mapping")),
            params=dict(self._value("params_")),
            casts=tuple(self._value("casts")),
            allow_suspicious=bool(self._value("allowSuspicious")),
        )

    def _home(self) -> models.Home | None:
        if models.parse(self._uri()).folder:
            return None
        return models.find_home(self._value("server"), self._value("data"))

    def _transform(self, dataset: Any) -> Any:
        home, plan = self._home(), self._plan()
        seen = dataset
        if columns := self._value("inputCols"):
            plan = _mapped(plan, columns, home)
            seen = dataset.select(*map(driver.quoted, columns))
        ready = driver.ready_for_table(dataset.sparkSession, plan, seen, home)
        driver.warn(ready.prepared)
        return functions.attached(dataset, ready)

    def to_udf(self, spark: Any = None) -> Any:
        """A function of columns: the ``inputCols`` in their order, or the model's own columns in its.

        Several columns of predictions are one column of structs. ``spark`` is the session, the
        running one unless told. What does not fit fails with the first rows, on the executors.
        """
        session = spark or SparkSession.getActiveSession()
        if session is None:
            raise Invalid("There is no running Spark session; give it: to_udf(spark).")
        home, plan = self._home(), self._plan()
        columns = self._value("inputCols")
        if columns:
            plan = _mapped(plan, columns, home)
        ready = driver.ready_for_function(session, plan, home)
        driver.warn(ready.prepared)
        signature = ready.prepared.info.signature
        names = columns or [
            plan.mapping.get(each.name, each.name) for each in signature.inputs or ()
        ]
        if not names:
            raise Invalid("The model does not say its columns; give inputCols=.")
        return functions.function(ready, names)


def _mapped(plan: Plan, columns: Sequence[str], home: models.Home | None) -> Plan:
    """With the columns that are given in the model's order mapped to its own."""
    _, _, folder = models.fetch(home, plan.model)
    return driver.with_mapping(plan, by_order(read_model(folder).signature, plan.mapping, columns))


def by_order(
    signature: Signature, mapping: Mapping[str, str], columns: Sequence[str]
) -> dict[str, str]:
    """The mapping, with columns in the model's order unless they are named as its own are."""
    names = [each.name for each in signature.inputs or ()]
    known = {mapping.get(name, name) for name in names}
    if mapping or not names or set(columns) <= known:
        return dict(mapping)
    return dict(zip(names, columns, strict=False))
