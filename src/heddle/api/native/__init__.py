"""The native API, ``/api/v1``: the product in its own words, for the web page and automation."""
