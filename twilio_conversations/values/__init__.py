"""Data from the wire, read leniently into frozen values; pure."""
