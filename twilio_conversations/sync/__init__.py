"""Replicated objects: documents, lists and maps that follow the service."""
