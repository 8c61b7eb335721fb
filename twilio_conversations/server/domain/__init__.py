"""Rules and permissions of conversations. Everything here runs inside a transaction of the writer."""
