import pytest

from relearn.process import atomic, timings


def test_only_a_stage_that_ended_well_has_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(timings, "FOLDER", tmp_path)
    with timings.stage("train@good", "smoke"):
        pass
    with pytest.raises(ValueError, match="broken"), timings.stage("train@bad", "smoke"):
        raise ValueError("broken")
    with timings.stage("train@removed", "smoke"), timings.stage("train@good", "book"):
        pass
    assert list(timings.read("smoke", ["train@good", "train@bad"])) == ["train@good"]


def test_a_time_that_is_being_written_or_was_cut_off_is_no_time_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(timings, "FOLDER", tmp_path)
    with timings.stage("train@good", "smoke"), atomic.replacing(tmp_path / "smoke/train@good.json") as partial:
        partial.write_text('{"stage": "tr')
        assert timings.read("smoke", ["train@good"]) == {}
        partial.write_text('{"stage": "train@good", "seconds": 3}')
    assert timings.read("smoke", ["train@good"]).keys() == {"train@good"}


def test_the_longest_comes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(timings, "FOLDER", tmp_path)
    for name, seconds in (("a", 1.0), ("b", 3.0), ("c", 2.0)):
        monkeypatch.setattr("time.perf_counter", iter([10.0, 10.0 + seconds]).__next__)
        with timings.stage(name, "quick"):
            pass
    assert list(timings.read("quick", "abc").items()) == [("b", 3.0), ("c", 2.0), ("a", 1.0)]
