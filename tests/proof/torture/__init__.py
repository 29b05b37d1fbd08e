"""Killing a server at any moment and looking whether what it answered is there and whole."""
