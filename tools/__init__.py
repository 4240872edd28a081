"""Commands that are no stage. The import has to come before NumPy: it pins the kernels."""

import relearn  # noqa: F401
