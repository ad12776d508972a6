"""The inverse model of Agrawal et al. (2016), a baseline."""
