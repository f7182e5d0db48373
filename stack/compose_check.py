"""Docker Compose's own reading of docker-compose.yml; it needs no Docker engine."""

import os
import subprocess
from pathlib import Path

from stack.bundle import Bundle, provide
from stack.home import PRIVATE_FOLDER, silent

PROGRAM = "usr/libexec/docker/cli-plugins/docker-compose"

# A Go program, which runs on the machine's own C library: nothing to link, nothing else to fetch.
COMPOSE = Bundle(
    name="compose",
    packages=("docker-compose",),
    programs=(),
    unused=frozenset({"gcc-14-base", "libc6", "libgcc-s1"}),
)


def resolve_compose(
    compose_file: Path, variables: dict[str, str], *profiles: str
) -> subprocess.CompletedProcess[str]:
    """Check the file against the Compose specification and print it with its variables filled in.

    Nothing of the caller's environment but its PATH fills variables.
    """
    program = provide(COMPOSE, PRIVATE_FOLDER, silent) / PROGRAM
    wanted = [word for profile in profiles for word in ("--profile", profile)]
    return subprocess.run(
        [program, "-f", compose_file, "--env-file", os.devnull, *wanted, "config"],
        env={"PATH": os.environ.get("PATH", ""), "HOME": str(PRIVATE_FOLDER), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
