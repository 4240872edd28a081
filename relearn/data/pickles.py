"""Pickles from outside: what they ask for is looked at before an unpickler that knows a few names reads them."""

import pickletools
from collections.abc import Set
from typing import IO

PLAIN = frozenset({
    "PROTO", "GLOBAL", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "EMPTY_TUPLE", "MARK", "TUPLE", "TUPLE1", "TUPLE2",
    "TUPLE3", "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "APPEND", "APPENDS", "BINUNICODE", "BININT", "BININT1",
    "BININT2", "LONG1", "NONE", "NEWTRUE", "NEWFALSE", "BINPERSID", "REDUCE", "BUILD", "STOP",
})  # of protocol 2, without what nobody needs to write arrays  # fmt: skip
BYTES = frozenset({"BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"})


def check(stream: IO[bytes], size: int, opcodes: Set[str] = PLAIN) -> None:
    """Reads over the pickle at the stream's place and goes back to it. One opcode alone can ask for gigabytes of memory.

    size: of what the stream holds, in bytes. Raises ValueError for an opcode that is not in `opcodes`, or asks for more.
    """
    start = stream.tell()
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name not in opcodes:
            raise ValueError(f"the pickle has the opcode {opcode.name}: nothing that is admitted needs it")
        if opcode.name == "LONG_BINPUT" and isinstance(argument, int) and argument > size:
            raise ValueError(f"the pickle asks for {argument} places in a file of {size} bytes")
    stream.seek(start)
