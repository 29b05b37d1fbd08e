"""The demonstration: a server, and a training script that knows nothing of Heddle."""
