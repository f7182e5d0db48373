"""The linter of the browser's scripts, and what looks at their pages."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from stack.errors import StackError
from stack.home import silent
from stack.node import node, provide_packages

ROOT = Path(__file__).resolve().parents[1]
RECIPE_FOLDER = ROOT / "tests" / "javascript"
RULES = "eslint.config.mjs"
RECIPE_FILES = ("package.json", "package-lock.json", RULES)
PACKAGES = "the linter of JavaScript and axe"
LINTED = ("dashboard", "tests/javascript")


def axe(progress: Callable[[str], None] = silent) -> Path:
    """The script that looks for what shuts people out of a page; only tests load it."""
    folder = provide_packages(RECIPE_FOLDER, RECIPE_FILES, PACKAGES, progress)
    return folder / "node_modules" / "axe-core" / "axe.min.js"


def lint_scripts(progress: Callable[[str], None] = silent) -> None:
    """Look at every script of the screens and their tests; the linter prints what it finds."""
    folder = provide_packages(RECIPE_FOLDER, RECIPE_FILES, PACKAGES, progress)
    linter = folder / "node_modules" / "eslint" / "bin" / "eslint.js"
    # The rules lie beside the packages that they name.
    words = ["--config", str(folder / RULES), "--max-warnings", "0"]
    done = subprocess.run([node(), str(linter), *words, *LINTED], cwd=ROOT, check=False)
    if done.returncode != 0:
        raise StackError("The scripts of the screens are not clean.")
