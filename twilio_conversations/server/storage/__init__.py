"""Storage: the database and its tables, the writer, media files, credentials, permissions."""
