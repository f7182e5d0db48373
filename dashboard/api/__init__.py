"""The HTTP API: one module a resource, errors as problem documents, described by OpenAPI."""
