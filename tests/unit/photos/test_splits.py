from relearn.photos import splits


def test_units_join_directly_and_through_others():
    assert splits.units([1, 2, 3, 4, 5, 6], [[1, 3], [5, 3], [6, 9]]) == [[1, 3, 5], [2], [4], [6]]


def test_neither_side_of_a_division_is_empty():
    assert splits.divide([[1], [2]], 0.01) == ([[2]], [[1]])
    assert splits.divide([[1], [2]], 0.99) == ([[2]], [[1]])
    assert splits.divide([[1, 2], [3, 4]], 0.25) == ([[3, 4]], [[1, 2]])


def test_a_limit_cuts_the_last_unit():
    assert splits.limited([[1], [2, 3, 4], [5]], 3) == [[1], [2, 3]]
    assert splits.limited([[1], [2]], None) == [[1], [2]]
