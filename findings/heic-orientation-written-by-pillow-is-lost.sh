#!/bin/sh
# A photo that is saved as HEIC with an EXIF orientation lies on its side for every reader.
#
# What one would write: `image.save(file, "HEIF", exif=exif)` with Orientation 6, as for JPEG and
# WebP; a reader then turns it upright with `ImageOps.exif_transpose`.
# What happens (pillow-heif 1.8.1, Pillow 13.0.0): HEIF turns pictures by a property of its own
# (irot), the EXIF orientation only repeats it. On reading the EXIF says 1, whatever was written, so
# that a picture that was turned already is not turned twice; on writing no irot is made from it.
# `exif_transpose` does nothing, and only `info["original_orientation"]` remembers the 6.
# Seen:
#   JPEG 6 (20, 40)
#   WEBP 6 (20, 40)
#   HEIF 1 (40, 20) original 6
# Upright in every reader: turn the pixels first, save without orientation.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pillow==13.0.0 pillow-heif==1.8.1

"$folder/venv/bin/python" - >"$folder/seen" <<'PYTHON'
import io

from PIL import Image, ImageOps
from pillow_heif import register_heif_opener

register_heif_opener()
for kind in ("JPEG", "WEBP", "HEIF"):
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.new("RGB", (40, 20), (200, 0, 0)).save(out, kind, exif=exif)
    read = Image.open(io.BytesIO(out.getvalue()))
    said = read.getexif().get(0x0112)
    more = f" original {read.info['original_orientation']}" if kind == "HEIF" else ""
    print(kind, said, f"{ImageOps.exif_transpose(read).size}{more}")
PYTHON
cat "$folder/seen"
diff - "$folder/seen" <<'EXPECTED'
JPEG 6 (20, 40)
WEBP 6 (20, 40)
HEIF 1 (40, 20) original 6
EXPECTED
