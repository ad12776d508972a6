"""The table tops of the simulated table: surfaces and families."""
