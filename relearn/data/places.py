"""Where files lie, seen from a pipeline's folder: photos/ uses backbones and downloads of the project's top."""

from pathlib import Path


def top() -> Path:
    """The project's top: here, or above the folder of a second pipeline."""
    return Path("..") if not Path(".dvc").is_dir() and Path("../.dvc").is_dir() else Path()


def model(name: str) -> Path:
    """The file of a network: `multiclass` of this pipeline, `backbones/lite0` of the project."""
    return (top() if name.startswith("backbones/") else Path()) / f"models/{name}.keras"


def downloads() -> Path:
    """The folder that keeps what was downloaded, whole and checked."""
    return top() / ".cache/downloads"
