"""What the wire says, read leniently into frozen values; pure."""
