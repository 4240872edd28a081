"""What every kind of block in params.yaml is made of: read-only blocks, names, bounded numbers, and the scale rule."""

import typing
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Scale = Literal["smoke", "quick", "book"]
SCALES: tuple[Scale, ...] = typing.get_args(Scale)

Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ClassName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")]
Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Images = Annotated[str, StringConstraints(pattern=r"^(embeddings/)?[a-z][a-z0-9_]*$")]
Model = Annotated[str, StringConstraints(pattern=r"^(backbones/)?[a-z][a-z0-9_]*$")]


class ParamsError(ValueError):
    """params.yaml cannot be used. The message has a line for each mistake."""


class Block(BaseModel):
    """A block of params.yaml: no unknown keys, no silent conversions, read-only."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Compute(Block):
    """How trainings use the machine."""

    precision: Literal["auto", "float32", "bfloat16"]
    threads: Literal["auto"] | Count
    jobs: Literal["auto"] | Count
    strategy: Literal["none", "mirrored"] = "none"


class Place(Block):
    """One place that files come from: a url, an npm or pip package, or none of them for files on disk only.

    `files` maps file names to SHA-256.
    """

    url: str | None = None
    npm: str | None = None
    pip: str | None = None
    files: Annotated[dict[str, Sha256], Field(min_length=1)]


def at_scale(node: Any, scale: str, path: str = "") -> Any:
    """`node` with each {smoke: .., quick: .., book: ..} replaced by its value at `scale`.

    Raises ParamsError for a map that has only some of the three.
    """
    if isinstance(node, list):
        return [at_scale(item, scale, f"{path}.{place}") for place, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if set(node) & set(SCALES):
        if set(node) != set(SCALES):
            raise ParamsError(f"{path}: has {', '.join(map(str, node))}; needs exactly {', '.join(SCALES)}")
        return node[scale]
    return {key: at_scale(value, scale, f"{path}.{key}".lstrip(".")) for key, value in node.items()}
