"""Four music taggers by Pons & Serra (2019), with the weights of the package ``musicnn``."""
