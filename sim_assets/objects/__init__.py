"""The objects of the simulated table: shapes, paints and families."""
