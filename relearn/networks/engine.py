"""TensorFlow and Keras, imported without their start-up chatter (which no log level of theirs keeps quiet).

    from relearn.networks.engine import keras, tf

Whoever needs them takes them from here; modules that do not need them stay fast to import.
"""

import contextlib
import gc
import os
import sys
import tempfile
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# Keras imports these where they are installed, for drawings, wrappers and tables that nothing here gives it.
OPTIONAL = ("matplotlib", "pandas", "scipy", "sklearn")


@contextlib.contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Holds back what the block writes to file descriptor 2, and shows it if the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def _lean() -> Iterator[None]:
    """Imports in the block take half their time: what is OPTIONAL is not there, and no garbage is looked for.

    Afterwards everything can be imported as usual. Whatever is there then stays for good, 300,000 objects: no later search for
    garbage looks at them, nor the one at the end of Python (4.4 -> 3.3 s of processor time to load a network and end).
    """
    hidden = [name for name in OPTIONAL if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None makes an import an ImportError
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
        gc.freeze()
        if collecting:
            gc.enable()


with _stderr_held_back(), _lean():
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()

__all__ = ["keras", "tf"]
