"""A Chromium for the browser tests: the machine's own, or one fetched into the private folder."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import which

from stack.bundle import Bundle, is_provided, provide
from stack.home import PRIVATE_FOLDER, silent

SYSTEM_NAMES = ("chromium", "google-chrome", "chrome")
SYSTEM_PACKAGES = ("chromium", "fonts-noto-cjk")

PROGRAM = "usr/lib/chromium/chromium"

CHROMIUM = Bundle(
    name="chromium",
    packages=SYSTEM_PACKAGES,
    programs=(PROGRAM, "usr/lib/chromium/chrome_crashpad_handler"),
    # Hardware drawing, desktop themes and system services: nothing a headless browser needs.
    unused=frozenset(
        """
        adduser adwaita-icon-theme dbus dbus-bin dbus-daemon dbus-session-bus-common
        dbus-system-bus-common dbus-user-session gtk-update-icon-cache hicolor-icon-theme libc-bin
        libgl1-mesa-dri libllvm19 libpam-modules libpam-modules-bin libpam-runtime libpam-systemd
        libsystemd-shared libz3-4 mesa-libgallium openssl-provider-legacy passwd perl-base procps
        systemd systemd-sysv xkb-data
        """.split()
    ),
)

FONT_CONFIGURATION = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
</fontconfig>
"""


def find_chromium() -> Path | None:
    """The browser to test with, or None where there is none."""
    for name in SYSTEM_NAMES:
        found = which(name)
        if found:
            return Path(found)
    return _private_program() if is_provided(CHROMIUM, PRIVATE_FOLDER) else None


def chromium_environment() -> dict[str, str]:
    """The environment to start it in: the private one brings its own fonts."""
    if find_chromium() != _private_program():
        return dict(os.environ)
    return {**os.environ, "FONTCONFIG_FILE": str(PRIVATE_FOLDER / "fonts.conf")}


def chromium_arguments() -> list[str]:
    """What it must be told here: no sandbox where none can be made, no calls to the outside."""
    quiet = ["--disable-background-networking", "--disable-component-update", "--no-first-run"]
    return [*quiet, *([] if _may_sandbox() else ["--no-sandbox"])]


def provide_chromium(progress: Callable[[str], None] = silent) -> Path:
    """Find a browser, else install one: as root from the machine's packages, else privately."""
    if os.geteuid() == 0:
        _install_packages(_missing_packages(), progress)
    found = find_chromium()
    if found is not None:
        return found
    provide(CHROMIUM, PRIVATE_FOLDER, progress)
    configuration = FONT_CONFIGURATION.format(
        fonts=PRIVATE_FOLDER / CHROMIUM.name / "usr/share/fonts",
        cache=PRIVATE_FOLDER / "font-cache",
    )
    (PRIVATE_FOLDER / "fonts.conf").write_text(configuration)
    return _private_program()


def _private_program() -> Path:
    return PRIVATE_FOLDER / CHROMIUM.name / PROGRAM


def _may_sandbox() -> bool:
    """Whether an unprivileged user namespace, which the sandbox needs, can be made."""
    if os.geteuid() == 0:
        return False
    probe = ["unshare", "--user", "--map-root-user", "true"]
    return subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _missing_packages() -> list[str]:
    """What the machine lacks to show a page with Chinese text."""
    browser, fonts = SYSTEM_PACKAGES
    missing = [] if find_chromium() else [browser]
    return missing if _has_chinese_font() else [*missing, fonts]


def _has_chinese_font() -> bool:
    if which("fc-list") is None:
        return False
    done = subprocess.run(
        ["fc-list", ":lang=zh", "file"], capture_output=True, text=True, check=False
    )
    return bool(done.stdout.strip())


def _install_packages(packages: list[str], progress: Callable[[str], None]) -> None:
    """Install them with apt; where it has no such package (Ubuntu's is a snap), nothing happens."""
    if not packages or which("apt-get") is None:
        return
    progress(f"installing {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--no-install-recommends", *packages]):
        subprocess.run(
            ["apt-get", "-q", "-y", *words], env=environment, capture_output=True, check=False
        )
