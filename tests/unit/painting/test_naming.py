import numpy as np

from relearn.painting import naming


def test_equal_scores_come_in_the_classes_order():
    assert [index for index, *_ in naming.top(np.array([0.2, 0.3, 0.2, 0.3]), list("abcd"), 9)] == [1, 3, 0, 2]
