"""The runner's parts: order, parameters, what is up to date, execution, publishing, checks."""
