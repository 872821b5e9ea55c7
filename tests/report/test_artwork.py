"""Charts come out the same on one core and on two."""

import os

from evaluator.report import artwork
from evaluator.report.artwork import draw_charts
from evaluator.report.drawing import Chart


def chart(name, value):
    def draw(figure, palette):
        figure.subplots().plot([0, value], color=palette.lines[0])

    return Chart(name=name, title=name, alt=name, columns=(), rows=(), draw=draw)


CHARTS = [chart(name, k) for k, name in enumerate(("survival", "b", "c", "d", "e"))]


def test_a_second_process_draws_the_same_bytes(monkeypatch):
    two = draw_charts(CHARTS)
    monkeypatch.setattr(artwork.os, "cpu_count", lambda: 1)
    assert draw_charts(CHARTS) == two
    assert [art.dark_png is not None for art in two] == [True, False, False, False, False]
    assert len({art.png for art in two}) == 5


def test_what_a_process_that_died_did_not_draw_is_drawn_here(monkeypatch):
    whole = draw_charts(CHARTS)
    monkeypatch.setattr(artwork, "_send", lambda line, charts: os._exit(1))
    assert draw_charts(CHARTS) == whole


def test_a_process_that_died_in_the_middle_of_its_answer_is_survived(monkeypatch):
    whole = draw_charts(CHARTS)

    def half(line, charts):
        os.write(line.fileno(), (1000).to_bytes(4, "big") + b"not all of it")
        os._exit(1)

    monkeypatch.setattr(artwork, "_send", half)
    assert draw_charts(CHARTS) == whole
