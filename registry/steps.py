"""The steps of this package, in one place for those who call them. Nothing else is public.

Each is one unit of work on an open connection; the caller commits. Whatever a person enters is
judged as a row of a device file is.
"""

from registry.approve import approve, ignore, registry_words
from registry.corrections import correct, move, rename, retire, revive
from registry.import_file import import_content
from registry.out_of_service import return_to_service, take_out_of_service
from registry.replace import replace

__all__ = [
    "approve", "correct", "ignore", "import_content", "move", "registry_words", "rename", "replace",
    "retire", "return_to_service", "revive", "take_out_of_service",
]  # fmt: skip
