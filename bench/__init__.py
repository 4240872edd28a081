"""Measurements. Trainings take the kernels that TensorFlow chooses for the processor, as the chapters' way does.

So nothing is pinned (relearn/data/pins.py), in this process and in those that it starts, but for the stages of `overhead`.
"""

import os

from relearn.data import pins

pins.clear()
os.environ[pins.MARK] = "none"
