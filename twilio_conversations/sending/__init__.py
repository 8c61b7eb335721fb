"""Sending a message: attachments, drafts and uploads."""
