"""claims.yaml: what the chapters claim, and which numbers of ours test it."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

from relearn.checks import wording
from relearn.params.base import Block, Count, Key, ParamsError

FILE = Path("claims.yaml")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


# As in printed.yaml, `evaluate/lenet.accuracy`; or a curve's column and epochs, `history/lenet.loss[1:10]`.
Measure = Annotated[str, StringConstraints(pattern=r"^\w+(/\w+)?\.\w+(\[\d+(:\d+)?\])?$")]
Measures = Annotated[list[Measure], BeforeValidator(_listed), Field(min_length=1)]
Pair = Annotated[str, StringConstraints(pattern=r"^\w+ as \w+$")]


class Claim(Block):
    """A claim about `first`, or about `first` less `second`: it is above or below `margin`, or within it of `target`.

    Several measures are claims about each, or each pair: the weakest decides.
    """

    chapter: str
    claim: str  # in our words
    where: str
    first: Measures
    second: Measures | None = None
    says: Literal["above", "below", "within"]
    margin: Annotated[float, Field(ge=0)] = 0.0
    target: float = 0.0
    curve: Literal["level", "step", "slope"] = "level"  # of a curve's epochs: mean, mean change from epoch to epoch, slope
    confused: list[Pair] | None = None  # `first` is a table of classifiers: the least of these pairs against all other pairs
    images: Count | None = None  # behind a share, where its file does not say; a whole number is a count of these
    paired: bool = False  # both networks of a seed, or repeat, have the same data in common
    family: str | None = None  # claims that are corrected together; else the chapter's
    note: str = ""

    @property
    def region(self) -> tuple[float, float]:
        """Where the difference lies if the claim holds."""
        if self.says == "within":
            return self.target - self.margin, self.target + self.margin
        return (self.margin, float("inf")) if self.says == "above" else (float("-inf"), -self.margin)

    @property
    def share(self) -> bool:
        """Whether it is about shares of images, not about losses or slopes."""
        columns = [measure.partition(".")[2] for measure in [*self.first, *(self.second or [])]]
        return self.curve != "slope" and not any("loss" in column for column in columns)

    @property
    def pairs(self) -> list[tuple[str, str | None]]:
        """Every `first` with its `second`; one alone stands for all."""
        second: list[str] | list[None] = self.second or [None]
        count = max(len(self.first), len(second))
        return [(self.first[place % len(self.first)], second[place % len(second)]) for place in range(count)]


class Claims(Block):
    """The whole file."""

    claims: dict[Key, Claim]


def read(path: Path = FILE) -> dict[str, Claim]:
    """All claims by id; ParamsError with a line for each mistake in the file."""
    claims = wording.validated(path, Claims).claims
    if mistakes := [f"{path}: claims.{key}: {mistake}" for key, claim in claims.items() for mistake in contradictions(claim)]:
        raise ParamsError("\n".join(mistakes))
    return claims


def contradictions(claim: Claim) -> list[str]:
    """What the fields of a claim say against each other."""
    mistakes = []
    lengths = {len(claim.first), len(claim.second or [None])} - {1}
    if len(lengths) > 1:
        mistakes.append(
            f"first has {len(claim.first)} and second {len(claim.second or [])} measures: as many, or one of them one"
        )
    if claim.says == "within" and not claim.margin:
        mistakes.append("margin: 0.0 is not allowed: `within` needs one above 0")
    if claim.confused and (claim.second or len(claim.first) > 1):
        mistakes.append("confused: needs one table as first, and no second")
    measures = [*claim.first, *(claim.second or [])]
    for measure in measures:
        if measure.startswith("history/") != measure.endswith("]"):
            mistakes.append(f"{measure!r} is not allowed: a curve, and only a curve, has epochs: history/lenet.loss[1:10]")
    if claim.curve != "level" and not all(measure.startswith("history/") for measure in measures):
        mistakes.append(f"curve: {claim.curve!r} is not allowed: only history/ has curves")
    return mistakes
