"""Every figure that is quoted: what is run, how it is scored."""
