"""A YAML file as a model, and mistakes in it: the key, the value, what is allowed; for broken YAML the line and the cure."""

import difflib
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from relearn.params.base import ParamsError

Model = TypeVar("Model", bound=BaseModel)
CURES = {  # by what the parser says; {opened} is the line of a bracket
    "duplicate key": "a key may stand only once in a block: take one away",
    "\\t": "use spaces in its place: YAML takes no tabs",
    "mapping values are not allowed": "put a value that has `: ` in it in quotes, or mend the indentation or a missing space "
    "after a colon, here or in the line above",
    "expected ',' or": "close the bracket that opens in line {opened}, or put a comma between the values",
    "could not find expected ':'": "write `key: value`, with a space after the colon",
    "found unexpected end of stream": "close the quotes that open here",
    "found '<scalar>'": "close the quotes in the lines above, or indent it as far as the other keys of its block",
    "found ']'": "take the bracket away: none is open",
    "found '}'": "take the bracket away: none is open",
    "found '-'": "take the `- ` away: its block has keys",
    "found '?'": "begin it as the others of its list, with `- `, or of its block, with `key: `",
    "<document start>": "begin all blocks of the file in its first column",
    "expected <block end>": "indent it as far as the other keys of its block; or a line above lacks a space after its colon",
    "found undefined alias": "write the value out: there is no anchor of that name",
    "that cannot start any token": "put the value in quotes",
    "constructor for the tag": "put a value that begins with `!` in quotes",
    "expected chomping or indentation": "put a value that begins with `|` or `>` in quotes",
    "unknown escape character": "put the value in single quotes",
    "unhashable key": "put a value that begins with a bracket or `? ` in quotes",
    "another document": "take the `---` away: a file has one document",
}
BEGINS_THERE = ("while scanning a simple key", "while scanning a quoted scalar")  # the parser notices it lines further down


def validated(path: Path, model: type[Model]) -> Model:
    """A YAML file as a `model`; ParamsError with a line for each mistake in it."""
    try:
        return model.model_validate(YAML(typ="safe", pure=True).load(path))
    except (OSError, YAMLError) as error:
        raise ParamsError(of_file(path, error)) from error
    except ValidationError as error:
        raise ParamsError("\n".join(f"{path}: {of_mistake(each, model)}" for each in error.errors())) from error


def of_file(path: Path, error: Exception) -> str:
    """Why a YAML file cannot be read: its line and a cure where the parser says one."""
    if isinstance(error, ReaderError):
        before = Path(error.name).read_text(errors="replace")[: error.position].split("\n")
        place = f"{error.name}, line {len(before)}, column {len(before[-1]) + 1}"
        return f"{place}: character {error.character:#x}, {error.reason}: take it away, or save the file as UTF-8"
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return f"{path}: {' '.join(str(error).split())}"
    said = " ".join(str(error.problem).split())
    problem = said.partition(" with value ")[0]  # a duplicate key's, which the parser has not read
    opened = error.context_mark or error.problem_mark
    mark = opened if error.context in BEGINS_THERE else error.problem_mark
    cure = next((cure for part, cure in CURES.items() if part in problem), "compare it with the lines around it")
    if re.search("^<<<<<<< ", Path(mark.name).read_text(), re.MULTILINE):
        cure = "the file has conflicts of a merge: keep one side of each"
    return f"{mark.name}, line {mark.line + 1}, column {mark.column + 1}: {problem}: {cure.format(opened=opened.line + 1)}"


def of_mistake(problem: Mapping[str, Any], model: type[BaseModel]) -> str:
    """One pydantic error about a `model` as `key: value is not allowed, because`."""
    location = problem["loc"]
    union = [part for part in location if str(part).startswith("literal[")]
    path = ".".join(str(part) for part in location if part not in ("[key]", "constrained-int", *union))
    kind, value = problem["type"], problem["input"]
    if union or location[-1] == "constrained-int":
        return f"{path}: {value!r} is neither auto nor a whole number from 1"
    if kind == "extra_forbidden":
        fields = _fields_at(list(location[:-1]), model)
        near = "".join(f"did you mean {name}? " for name in difflib.get_close_matches(str(location[-1]), fields, n=1))
        return f"{path}: unknown key; {near}allowed here: {', '.join(fields)}"
    if kind == "missing":
        return f"{path}: is missing"
    if kind == "string_pattern_mismatch" and "[a-z0-9_]" in problem["ctx"]["pattern"]:
        return f"{path}: {value!r} is no name: small letters, digits and _, a letter first"
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
