"""The four music taggers of Pons & Serra (2019), read from the `musicnn` package."""
