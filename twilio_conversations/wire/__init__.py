"""What the bytes mean: pure, with no sockets, no threads and no clock."""
