"""Presses pictures of screens into small files: python press.py FROM TO.

WebP without loss: letters stay sharp, and a flat page is smaller than any lossy picture of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image


def main() -> None:
    """Press every PNG; say what all of them take."""
    source, target = map(Path, sys.argv[1:])
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.png")):
        with Image.open(path) as picture:
            made = target / f"{path.stem}.webp"
            picture.convert("RGB").save(made, lossless=True, quality=80, method=4)
    size = sum(path.stat().st_size for path in target.glob("*.webp"))
    print(f"{len(list(target.glob('*.webp')))} pictures, {size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
