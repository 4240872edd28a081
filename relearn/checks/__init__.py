"""What params.yaml must fulfil. Nothing in here changes a result: it can only refuse."""

from relearn.checks.settings import load
from relearn.params.base import ParamsError

__all__ = ["ParamsError", "load"]
