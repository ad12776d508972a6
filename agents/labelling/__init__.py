"""Labels of interactions, and the training examples made from them."""
