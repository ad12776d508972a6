"""Algorithm 1 (Pathak et al. 2018): act, label, train."""
