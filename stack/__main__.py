"""The set-up steps of `./run`: python -m stack STEP."""

import sys
from collections.abc import Callable

from stack.browser import provide_chromium
from stack.errors import StackError
from stack.home import provision
from stack.javascript import lint_scripts
from stack.leftovers import stop_everything
from stack.pglite import provide_pglite

STEPS: dict[str, Callable[[Callable[[str], None]], object]] = {
    "provision": provision,
    "pglite": provide_pglite,
    "browser": provide_chromium,
    "javascript": lint_scripts,
    "stop": stop_everything,
}


def main(words: list[str]) -> int:
    """Run one step; 1 with a sentence when it cannot be done."""
    if len(words) != 1 or words[0] not in STEPS:
        print(f"usage: python -m stack {' | '.join(STEPS)}", file=sys.stderr)
        return 2
    try:
        STEPS[words[0]](lambda line: print(line, file=sys.stderr))
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
