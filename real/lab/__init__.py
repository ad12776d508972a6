"""The lab file: one YAML file that describes a laboratory."""
