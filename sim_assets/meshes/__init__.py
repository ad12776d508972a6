"""Objects from files of the user: meshes read, textured, decomposed into convex pieces and kept in a cache."""
