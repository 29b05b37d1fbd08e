"""HTTP: the native API, the MLflow protocol, the page."""
