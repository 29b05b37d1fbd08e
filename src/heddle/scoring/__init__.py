"""Scoring: applying a model to a table, with a receipt."""
