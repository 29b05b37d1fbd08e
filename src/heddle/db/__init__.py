"""The database: opening it, transactions, shared table parts, migrations."""
