from relearn.params.base import at_scale


def test_numbers_are_taken_at_the_scale_in_force():
    node = {"epochs": {"smoke": 1, "quick": 2, "book": 3}, "list": [{"n": {"smoke": 4, "quick": 5, "book": 6}}], "batch": 7}
    assert at_scale(node, "book") == {"epochs": 3, "list": [{"n": 6}], "batch": 7}
