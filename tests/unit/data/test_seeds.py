from relearn.data import seeds


def test_seeds_differ_by_every_part_and_never_change():
    derived = {seeds.derive(14, "train", key, repeat) for key in ("a", "b") for repeat in range(50)}
    assert len(derived) == 100
    assert seeds.derive(14, "train", "a", 0) == seeds.derive(14, "train", "a", 0)
    assert seeds.derive(15, "train", "a", 0) not in derived
