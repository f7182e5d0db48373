"""The one error of the embedded stack."""


class StackError(Exception):
    """The stack cannot go on; the text is one sentence for a person: what is wrong, what to do."""
