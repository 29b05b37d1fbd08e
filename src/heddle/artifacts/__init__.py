"""Files: contents by digest, manifests that name them, their removal."""
