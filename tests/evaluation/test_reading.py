"""The verdict in plain words."""

import pytest

from dermsynth.evaluation.floors import ORDER, Light
from dermsynth.evaluation.reading import FINDINGS, OTHER_STEPS, STEPS, next_step, sentence
from dermsynth.evaluation.results import Evaluation, Line
from dermsynth.metrics.registry import METRICS
from tests.evaluation.drawn import evaluation

QUESTIONS = ("fidelity", "diversity", "copying", "usefulness", "fairness", "labels")


def line(question: str, light: Light) -> Line:
    return Line(question=question, light=light, says="", rule="")


def result(*lines: Line, truncation: float | None = None) -> Evaluation:
    bad = [
        {"metric": "FID-x", "floor": 0.1, "matched": 1.0},
        {"metric": "recall-x", "floor": 0.8, "matched": 0.1},
        {"metric": "coverage-x", "floor": 0.9, "matched": 0.2},
    ]
    generator = {} if truncation is None else {"truncation": truncation}
    made = evaluation(bad, verdict=[one.model_dump() for one in lines])
    facts = made.synthetic.model_copy(update={"generator": type(made.synthetic.generator).model_validate(generator)})
    return made.model_copy(update={"synthetic": facts})


def test_the_worst_comes_first_and_what_was_not_measured_is_named() -> None:
    found = result(
        line("fidelity", "amber"), line("diversity", "red"), line("copying", "green"), line("labels", "not measured")
    )
    assert sentence(found) == (
        "The synthetic images lack much of what the real ones show, come near the real ones, but differ from them, and show no sign of "
        "copied training images. Not measured: labels."
    )
    assert sentence(result()) == ""
    assert sentence(result(line("copying", "not measured"))) == "Not measured: copying."


def test_every_question_and_light_has_words() -> None:
    lights = set(ORDER) - {"not measured"}
    assert set(FINDINGS) == {(question, light) for question in QUESTIONS for light in lights}
    assert {question for question, _ in OTHER_STEPS} == set(QUESTIONS) - {"fidelity", "diversity"}


def test_every_metric_that_decides_a_light_has_a_step() -> None:
    assert set(STEPS) == {id for id, metric in METRICS.items() if metric.question}


def test_steps_follow_from_the_worst_figures() -> None:
    found = result(line("fidelity", "red"), line("diversity", "red"))
    assert next_step(found, found.verdict[0]) == STEPS["fid"]
    assert next_step(found, found.verdict[1]) == STEPS["recall"]


def test_truncation_is_the_first_thing_to_leave_out_where_images_are_too_alike() -> None:
    found = result(line("fidelity", "red"), line("diversity", "red"), truncation=0.5)
    assert next_step(found, found.verdict[1]).startswith("generate without truncation")
    assert "truncation" not in next_step(found, found.verdict[0])


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_green_light_asks_for_nothing(question: str) -> None:
    assert next_step(result(), line(question, "green")) == ""


@pytest.mark.parametrize(("question", "light"), OTHER_STEPS)
def test_other_questions_have_a_step_a_light(question: str, light: Light) -> None:
    assert next_step(result(), line(question, light)) == OTHER_STEPS[question, light]
