"""The Python part of `run_colab.sh`: one notebook on a GPU machine, as a plain script.

What runs before the libraries are installed (`install`, `drive`, `__main__`) uses the standard
library alone.
"""
