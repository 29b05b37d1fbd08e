"""Heddle and a real MLflow server answer the same calls; every disagreement is a failure.

Owns the comparison of the two over the wire. What may differ stands in `../differences.md` and
nowhere else. Leaves Heddle's own words (its native API) and MLflow's Python client to others.
"""
