"""Models on Apache Spark: made ready by the driver, loaded in confined children by executors."""
