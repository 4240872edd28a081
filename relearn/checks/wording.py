"""Mistakes in a YAML file in words: the key, the value, what is allowed; for broken YAML the line and the cure."""

import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel
from ruamel.yaml.error import MarkedYAMLError

CURES = {  # by what the parser says
    "duplicate key": "a key may stand only once in a block: take one away",
    "\\t": "indent with spaces: YAML takes no tabs",
    "mapping values are not allowed": "put a value that has `: ` in it in quotes, or mend the indentation",
    "expected ',' or": "close the bracket, or put a comma between the values",
    "could not find expected ':'": "write `key: value`, with a space after the colon",
    "expected <block end>": "indent it as far as the other keys of its block",
    "found undefined alias": "write the value out: there is no anchor of that name",
}


def of_file(path: Path, error: Exception) -> str:
    """Why a YAML file cannot be read: its line and a cure where the parser says one."""
    mark = getattr(error, "problem_mark", None)
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return f"{path}: {' '.join(str(error).split())}"
    problem = " ".join(str(error.problem).split())
    cure = next((cure for said, cure in CURES.items() if said in problem), "compare it with the lines around it")
    return f"{path}, line {mark.line + 1}, column {mark.column + 1}: {problem}: {cure}"


def of_mistake(problem: Mapping[str, Any], model: type[BaseModel]) -> str:
    """One pydantic error about a `model` as `key: value is not allowed, because`."""
    location = problem["loc"]
    union = [part for part in location if str(part).startswith("literal[")]
    path = ".".join(str(part) for part in location if part not in ("[key]", "constrained-int", *union))
    kind, value = problem["type"], problem["input"]
    if union or location[-1] == "constrained-int":
        return f"{path}: {value!r} is neither auto nor a whole number from 1"
    if kind == "extra_forbidden":
        return f"{path}: unknown key; allowed here: {', '.join(_fields_at(list(location[:-1]), model))}"
    if kind == "missing":
        return f"{path}: is missing"
    if kind == "literal_error":
        return f"{path}: {value!r} is none of {problem['ctx']['expected'].replace(chr(39), '').replace(' or ', ', ')}"
    return f"{path}: {value!r} is not allowed: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _fields_at(location: list[Any], model: type[BaseModel]) -> list[str]:
    """Names of the fields of the block at a pydantic error location."""
    node: Any = model
    for part in location:
        if isinstance(node, type) and issubclass(node, BaseModel):
            node = _inner(node.model_fields[part].annotation)
        else:
            node = _inner(typing.get_args(node)[-1])
    return list(node.model_fields)


def _inner(annotation: Any) -> Any:
    """`annotation` without Annotated and `| None`."""
    while typing.get_origin(annotation) in (Annotated, typing.Union, types.UnionType):
        annotation = typing.get_args(annotation)[0]
    return annotation
