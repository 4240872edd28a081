"""A file that is no YAML is told by file, line and column, with the cure."""

from pathlib import Path

import pytest

from relearn import checks
from relearn.params.base import ParamsError

START = "scale: quick\ntrain:\n  a:\n"
BLOCK = "indent it as far as the other keys of its block"
BRACKET = "or put a comma between the values"
BROKEN = {
    "a key twice": (START + "    batch: 64\n    batch: 32\n", 5, 5, 'duplicate key "batch": a key may stand only once'),
    "a block twice": (START + "    batch: 64\n  b: {}\n  a:\n    batch: 3\n", 6, 3, 'key "a": a key may stand only once'),
    "a tab before a key": (START + "\tbatch: 64\n", 4, 1, "use spaces in its place: YAML takes no tabs"),
    "a tab behind spaces": (START + "  \tbatch: 64\n", 4, 3, "use spaces in its place: YAML takes no tabs"),
    "a tab before a value": (START + "    batch:\t64\n", 4, 11, "use spaces in its place: YAML takes no tabs"),
    "a list without its end": (START + "    keep: [0, 1\n    batch: 64\n", 5, 10, f"the bracket that opens in line 4, {BRACKET}"),
    "a map without its end": (START + "    grid: {a: 1\n    batch: 64\n", 5, 10, f"the bracket that opens in line 4, {BRACKET}"),
    "a map without its end in the last line": (START + "    grid: {a: 1\n", 5, 1, f"bracket that opens in line 4, {BRACKET}"),
    "the end of a map for that of a list": (START + "    keep: [0, 1}\n", 4, 16, f"bracket that opens in line 4, {BRACKET}"),
    "no comma": (START + '    keep: ["0" "1"]\n', 4, 16, f"bracket that opens in line 4, {BRACKET}"),
    "no comma in a map": (START + "    grid: {a: 1 b: 2}\n", 4, 18, f"bracket that opens in line 4, {BRACKET}"),
    "a bracket too many": (START + "    keep: [0, 1]]\n    batch: 64\n", 4, 17, "take the bracket away: none is open"),
    "a brace too many": (START + "    grid: {a: 1}}\n", 4, 17, "take the bracket away: none is open"),
    "too far in": (START + "    net: deep\n      batch: 64\n", 5, 12, "or mend the indentation or a missing space"),
    "too far in behind a map": (START + "    grid: {a: 1}\n      batch: 64\n", 5, 7, BLOCK),
    "not far enough": (START + "    net: {a: 1}\n   batch: 64\n", 5, 4, BLOCK),
    "a first key too far in": (START + "     net: deep\n    batch: 64\n", 5, 5, BLOCK),
    "a block too far in": (" scale: quick\nseed: 14\n", 2, 1, "begin all blocks of the file in its first column"),
    "a colon in a value": (START + "    net: deep: C32\n", 4, 14, "put a value that has `: ` in it in quotes"),
    "a missing brace": (START + "    grid: a: 1}\n", 4, 12, "put a value that has `: ` in it in quotes"),
    "no space behind a colon": (START + "    net: deep\n    batch:64\n    epochs: 1\n", 5, 5, "write `key: value`, with a space"),
    "no space behind a first colon": (START + "    net:deep\n    batch: 64\n", 5, 10, "missing space after a colon, here or in"),
    "no colon": (START + "    net: deep\n    batch 64\n    epochs: 1\n", 5, 5, "write `key: value`, with a space after"),
    "a word at the end": ("scale: quick\nseed: 14\nwhat\n", 3, 1, "write `key: value`, with a space after the colon"),
    "quotes without their end": (START + '    net: "deep\n    labels: "x"\n', 5, 14, "close the quotes in the lines above"),
    "quotes without any end": (START + "    net: 'deep\n    batch: 64\n", 4, 10, "close the quotes that open here"),
    "a list's dash among keys": (START + "    net: deep\n    - batch: 64\n", 5, 5, "take the `- ` away: its block has keys"),
    "a dash without a space": (START + "    - net: deep\n    -batch: 64\n", 5, 5, "begin it as the others of its list, with `-"),
    "a value that starts with @": (START + "    net: @deep\n", 4, 10, "put the value in quotes"),
    "a value that starts with `": (START + "    net: `deep`\n", 4, 10, "put the value in quotes"),
    "a value that starts with %": (START + "    net: %deep\n", 4, 10, "put the value in quotes"),
    "a value that starts with |": (START + "    net: |deep\n", 4, 11, "put a value that begins with `|` or `>` in quotes"),
    "a value that starts with !": (START + "    net: !deep x\n", 4, 10, "put a value that begins with `!` in quotes"),
    "an object of Python's": (START + "    net: !!python/name:os.system x\n", 4, 10, "a value that begins with `!` in quotes"),
    "an alias of nothing": (START + "    net: *deep\n", 4, 10, "write the value out: there is no anchor of that name"),
    "a variable": (START + "    net: {{deep}}\n", 4, 11, "put a value that begins with a bracket or `? ` in quotes"),
    "a backslash": (START + '    folder: "C:\\data"\n', 4, 17, "put the value in single quotes"),
    "two documents": ("scale: quick\n---\nscale: book\n", 2, 1, "take the `---` away: a file has one document"),
    "a merge's conflict": (START + "<<<<<<< HEAD\n    batch: 64\n=======\n    batch: 32\n>>>>>>> b\n", 4, 1,
                           "the file has conflicts of a merge: keep one side of each"),
    "a control character": ("scale: quick\nseed: 14\a\n", 2, 9, "take it away, or save the file as UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_mistake_of_syntax_is_one_line_with_its_place_and_its_cure(tmp_path, mistake):
    text, line, column, cure = BROKEN[mistake]
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError) as error:
        checks.load(tmp_path / "params.yaml")
    told = str(error.value)
    assert told.startswith(f"{tmp_path / 'params.yaml'}, line {line}, column {column}: ")
    assert cure in told
    assert "\n" not in told


def test_a_file_that_is_no_utf_8_is_told_by_its_place(tmp_path):
    (tmp_path / "params.yaml").write_bytes("scale: quick\n# für\nseed: 14\n".encode("latin-1"))
    with pytest.raises(
        ParamsError, match=r"params\.yaml, line 2, column 4: character 0xfc, .*: take it away, or save the file as"
    ):
        checks.load(tmp_path / "params.yaml")


def test_a_mistake_in_the_shared_file_is_told_of_that_file(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/params.yaml").write_text("datasets: {}\n")
    (tmp_path / "params.yaml").write_text("scale: quick\nseed: 14\n\tcompute: {}\n")
    monkeypatch.chdir(tmp_path / "photos")
    with pytest.raises(ParamsError, match=r"^\.\./params\.yaml, line 3, column 1: .*YAML takes no tabs"):
        checks.load()


@pytest.mark.parametrize(
    ("text", "told"),
    [(None, "params.yaml: .*No such file"),
     ("", "scale: None is none of smoke, quick, book"), ("[1]", r"scale: \[1\] is none of"),
     ("quick", "scale: 'quick' is none of smoke, quick, book"), ("seed: 14", "scale: None is none of smoke, quick, book"),
     ("scale: quick", "seed: is missing\ncompute: is missing")],
)  # fmt: skip
def test_a_file_without_parameters_is_told(tmp_path: Path, text, told):
    if text is not None:
        (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match=told):
        checks.load(tmp_path / "params.yaml")
