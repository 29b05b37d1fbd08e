"""Names for runs whose maker gave none: two words and a number, easy to say and to find again."""

from __future__ import annotations

import secrets

_QUALITIES = [
    "amber", "bold", "brisk", "bright", "calm", "clear", "clever", "coral", "crisp", "deft",
    "eager", "early", "fair", "fine", "fleet", "fond", "gentle", "glad", "golden", "grand",
    "green", "hardy", "indigo", "jolly", "keen", "kind", "light", "lively", "lucid", "mellow",
    "merry", "mild", "neat", "nimble", "noble", "olive", "patient", "plain", "plucky", "proud",
    "quick", "quiet", "rapid", "rosy", "rustic", "sage", "scarlet", "sharp", "silver", "sleek",
    "smooth", "snug", "solid", "spry", "steady", "still", "sunny", "supple", "sure", "swift",
    "tidy", "true", "vivid", "warm", "wise", "witty", "young",
]  # fmt: skip
_THINGS = [
    "alder", "ash", "aspen", "badger", "bear", "beaver", "birch", "bison", "cedar", "crane",
    "crow", "deer", "dove", "eagle", "elk", "elm", "falcon", "fern", "finch", "fir", "fox",
    "gull", "hare", "hawk", "hazel", "heath", "heron", "ibex", "ivy", "jay", "juniper",
    "kestrel", "kite", "lark", "larch", "lily", "linden", "linnet", "lynx", "maple", "marten",
    "merlin", "mole", "moss", "moth", "oak", "oriole", "otter", "owl", "pine", "plover",
    "poplar", "quail", "raven", "reed", "robin", "rook", "rowan", "seal", "shrew", "sparrow",
    "spruce", "stoat", "stork", "swallow", "swan", "swift", "tern", "thistle", "thrush",
    "trout", "vole", "warbler", "weasel", "willow", "wolf", "wren", "yarrow", "yew",
]  # fmt: skip


def random_name() -> str:
    """Such as ``quiet-heron-417``."""
    return f"{secrets.choice(_QUALITIES)}-{secrets.choice(_THINGS)}-{secrets.randbelow(1000)}"
