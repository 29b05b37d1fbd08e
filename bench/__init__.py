"""Measures Heddle beside MLflow and FastTrackML, over the public protocol, on one machine.

Owns: peers' environments, starting and stopping servers, seeding, load, checking, the report.
Always holds: every server is asked the same work; answers are checked; only figures taken in one
run are set against each other; whatever was started is stopped again.
Leaves to others: what is measured inside a process (profilers), and the scoring engine.
"""
