import pytest

from stages.lib import layers

DEEP = "C32 C64 C64 C64 C64 P2 D.25 flatten F128 D.5 F128 D.5"


def test_the_chapters_nets_reach_flatten_with_the_chapters_numbers():
    assert layers.flat_units("C32 C64 P2 D.25 flatten F128 D.5", 32, 3) == 12544
    assert layers.flat_units(DEEP, 32, 3) == 7744


def test_layers_are_counted_within_their_kind():
    assert [layer.name for layer in layers.parse(DEEP) if layer.kind in ("conv", "dense")] == [
        *(f"conv_{number}" for number in range(5)),
        "dense_0",
        "dense_1",
    ]
    assert [layer.value for layer in layers.parse(DEEP) if layer.kind == "dropout"] == [0.25, 0.5, 0.5]


@pytest.mark.parametrize("text", ["C32 flatten K3", "C0 flatten", "C32 flatten D1.5", "C32 F10", "flatten flatten", ""])
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="flatten"):
        layers.parse(text)
