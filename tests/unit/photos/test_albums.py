from pathlib import Path

from relearn.photos import albums


def test_odd_class_names_become_plain_ones():
    assert albums.class_name(Path(), "photos/Löwe & co (2)") == "Lowe_co_2"
