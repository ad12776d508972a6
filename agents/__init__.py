"""What acts, through an environment and never on a backend."""
