"""One script a kind of stage. The import comes before NumPy's and TensorFlow's: it pins the kernels and hides GPUs.

A result says on which processor it was computed, and on no GPU: TensorFlow takes one only where CUDA_VISIBLE_DEVICES names it.
"""

import os

import relearn  # noqa: F401

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
