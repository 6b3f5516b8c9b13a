"""The curve of a training stays small and tells every step."""

from superfine.training.trace import MOST_TRACED, Trace


def test_every_step_is_a_point_until_there_are_too_many_and_then_points_are_means():
    trace = Trace()
    for step in range(1, 6):
        trace.add(float(step), step / 10)
    assert trace.points() == [[step, float(step), step / 10] for step in range(1, 6)]
    for step in range(6, 10 * MOST_TRACED + 1):
        trace.add(float(step), 0.0)
    points = trace.points()
    assert MOST_TRACED / 2 <= len(points) < MOST_TRACED
    every = points[0][0]
    assert [step for step, _, _ in points] == [every * (i + 1) for i in range(len(points))]
    assert points[3][1] == (points[3][0] + points[2][0] + 1) / 2, "the mean of its steps"


def test_a_trace_that_was_written_goes_on_as_if_it_had_not_been():
    from dataclasses import asdict

    whole, first = Trace(), Trace()
    for step in range(3 * MOST_TRACED):
        whole.add(step / 7, step / 9)
        first.add(step / 7, step / 9)
        if step == MOST_TRACED + 1:
            first = Trace(**asdict(first))
    assert first == whole
