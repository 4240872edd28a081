import pytest

from relearn.networks import shorthand

DEEP = "C32 C64 C64 C64 C64 P2 D.25 flatten F128 D.5 F128 D.5"


def test_the_chapters_nets_reach_flatten_with_the_chapters_numbers():
    assert shorthand.flat_units("C32 C64 P2 D.25 flatten F128 D.5", 32, 3) == 12544
    assert shorthand.flat_units(DEEP, 32, 3) == 7744


def test_layers_are_counted_within_their_kind():
    assert [layer.name for layer in shorthand.parse(DEEP) if layer.kind in ("conv", "dense")] == [
        *(f"conv_{number}" for number in range(5)),
        "dense_0",
        "dense_1",
    ]
    assert [layer.value for layer in shorthand.parse(DEEP) if layer.kind == "dropout"] == [0.25, 0.5, 0.5]


def test_kernel_padding_and_averaging_are_read():
    first, norm, pool, average, dense = shorthand.parse("C20k5s BN P2 GAP F7")
    assert (first.kernel, first.same, first.value) == (5, True, 20)
    assert [norm.kind, pool.kind, average.kind, dense.name] == ["norm", "pool", "average", "dense_0"]
    assert shorthand.flat_units("C20k5s BN P2 GAP F7", 28, 1) == 20
    assert shorthand.flat_units("C20k5 P2 C50k5 P2 flatten F500", 28, 1) == 4 * 4 * 50
    assert shorthand.flat_units("C32s P2 flatten", 32, 3) == 16 * 16 * 32


def test_identity_convolutions_centring_and_temperature_are_read():
    first, gelu, pool, centring, _, temperature = shorthand.parse("C64i GELU P2 BNc flatten T9")
    assert (first.kind, first.name, first.same, first.value) == ("identity", "identity_0", True, 64)
    assert [gelu.kind, pool.kind, centring.kind] == ["gelu", "pool", "centring"]
    assert (temperature.kind, temperature.value) == ("temperature", 9)
    assert shorthand.flat_units("C64i P2 flatten T9", 31, 24) == 15 * 15 * 64


@pytest.mark.parametrize(
    "text",
    [
        "T9 flatten F3",
        "flatten sigmoid F3",
        "flatten F3 sigmoid T9",
        "C32ik5 flatten",
        "C32 flatten GAP F3",
        "C32k flatten",
        "C32ss flatten",
        "C32 flatten K3",
        "C0 flatten",
        "C32 flatten D1.5",
        "C32 F10",
        "flatten flatten",
        "",
    ],
)
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError, match="flatten"):
        shorthand.parse(text)
