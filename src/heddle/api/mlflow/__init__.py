"""The MLflow REST protocol, translated to and from our operations."""
