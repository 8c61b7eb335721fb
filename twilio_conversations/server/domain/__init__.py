"""What may happen to conversations, and who may do it. Everything here runs inside a transaction of the writer."""
