"""Takes over what an MLflow server holds: its database, and the files that it names."""
