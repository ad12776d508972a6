"""The cameras of a real table."""
