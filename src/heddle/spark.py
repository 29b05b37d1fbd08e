"""Models on Apache Spark, classic or by Spark Connect: transformers, functions and SQL.

>>> from heddle.spark import ModelTransformer
>>> ModelTransformer(modelName="diabetes", modelVersion=3).transform(frame)

Executors need this package with what its extra ``predict`` names, and the libraries of the models;
they need neither the server nor any credentials, since Spark brings them the model's files.
"""

from heddle.scoring.spark.sql import sql
from heddle.scoring.spark.transformer import ModelTransformer

__all__ = ["ModelTransformer", "sql"]
