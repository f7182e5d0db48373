"""What ingest does for single formats beside parsing them: one module a format, named after it.

Nobody but `ingest.peculiar` imports these.
"""
