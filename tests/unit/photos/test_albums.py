from pathlib import Path

import pytest

from relearn.photos import albums


@pytest.mark.parametrize(("folder", "plain"), [
    ("photos/Löwe & co (2)", "Lowe_co_2"), ("løve", "love"), ("ørn", "orn"), ("Ærø", "Aero"), ("straße", "strasse"),
    ("łoś", "los"), ("đak", "dak"), ("кот1", "kot1"), ("пёс1", "pes1"), ("ёж", "ezh"), ("γάτα", "gata"), ("No. 1º", "No_1o"),  # noqa: RUF001
    ("Lo\u0308we", "Lowe"), ("cat 🐱", "cat"), ("déjà-vu_3", "deja-vu_3"),
])  # fmt: skip
def test_class_names_stay_names_that_a_person_recognises(folder, plain):
    assert albums.class_name(Path(), folder) == plain


@pytest.mark.parametrize("folder", ["猫", "猫1", "קוט 2", "cat แมว", "🐱"])
def test_a_class_name_that_would_lose_letters_is_refused(folder):
    with pytest.raises(ValueError, match=f"class folder '{folder}' has .*: rename it"):
        albums.class_name(Path(), folder)
