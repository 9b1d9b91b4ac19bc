"""Lights from figures whose truth is known: every figure counts, the worst decides, and without a network nothing is praised."""

from typing import Any

import numpy as np
import pytest

from dermsynth.evaluation import floors
from dermsynth.evaluation.label_fidelity import Recognition, label_fidelity, recognition_light
from dermsynth.evaluation.results import Line
from dermsynth.evaluation.verdict import class_verdicts, verdict
from dermsynth.metrics.estimate import Estimate
from dermsynth.metrics.registry import METRICS, parse_name
from dermsynth.report.evaluation_report import outside
from tests.evaluation.drawn import SYNTHETIC, copy_row, evaluation
from tests.evaluation.drawn import row as any_row

ALL = "all classes"


def row(metric: str, matched: float, floor: float, group: str = ALL) -> dict[str, Any]:
    return any_row(
        metric, group=group, matched=matched, floor=floor, half=150, value=matched, low=matched, high=matched
    )


GOOD = [
    row("FID", 1.2, 1.0), row("KID x 1000", 9.0, 0.01), row("SWD mean", 11, 10), row("SWD 64 px", 11, 10),
    row("Frechet distance, dermatology", 0.5, 0.4), row("JSD x 1000 RGB R", 3, 2), row("JSD x 1000 RGB G", 2, 3),
    row("precision", 0.9, 0.92), row("density", 0.95, 1.0), row("recall", 0.9, 0.92), row("coverage", 0.93, 0.95),
    row("MS-SSIM of pairs", 0.3, 0.28),
]  # fmt: skip


def lights(rows: list[dict[str, Any]], extractor: str = "inception-v3 (2048)", **more: Any) -> dict[str, Line]:
    return {line.question: line for line in verdict(evaluation(rows, extractor=extractor, **more))}


def changed(metric: str, matched: float) -> list[dict[str, Any]]:
    return [r | {"matched": matched} if r["metric"] == metric else r for r in GOOD]


@pytest.mark.parametrize(
    ("metric", "amber", "red"),
    [("FID", 4.9, 5.1), ("SWD mean", 30, 60), ("SWD 64 px", 30, 60), ("Frechet distance, dermatology", 1.5, 11.2),
     ("JSD x 1000 RGB R", 14, 40), ("precision", 0.8, 0.5), ("density", 0.8, 0.5)],
)  # fmt: skip
def test_the_worst_figure_of_fidelity_decides(metric: str, amber: float, red: float) -> None:
    assert lights(GOOD)["fidelity"].light == "green"
    for value, light in ((amber, "amber"), (red, "red")):
        line = lights(changed(metric, value))["fidelity"]
        assert line.light == light
        assert metric.split(" x 1000")[0] in line.says
    assert lights(changed(metric, red))["diversity"].light == "green"


@pytest.mark.parametrize(("metric", "red"), [("recall", 0.5), ("coverage", 0.4), ("MS-SSIM of pairs", 0.7)])
def test_the_worst_figure_of_diversity_decides(metric: str, red: float) -> None:
    assert lights(GOOD)["diversity"].light == "green"
    assert lights(changed(metric, red))["diversity"].light == "red"


def test_without_a_network_something_wrong_is_all_that_can_be_told() -> None:
    for value, light in ((1.0, "not measured"), (3.0, "not measured"), (13.0, "red")):
        line = lights(changed("FID", value), "embedded")["fidelity"]
        assert line.light == light
        assert ("name a network: `extractor`" in line.says) == (light == "not measured")
    assert lights(GOOD, "embedded")["diversity"].light == "not measured"
    assert lights([], "embedded")["fidelity"].says == "too few images for figures"


def test_coloured_fog_and_blurred_discs_are_red_whatever_the_precision() -> None:
    """The figures of such sets with the embedded features, as the first users met them."""
    precise = [r | {"matched": 0.93 * r["floor"]} if r["metric"] == "precision" else r for r in GOOD]
    fog = [r | {"matched": 13 * r["floor"]} if r["metric"] == "FID" else r for r in precise]
    discs = [r | {"matched": 28 * r["floor"]} if r["metric"].startswith("Frechet") else r for r in precise]
    assert lights(fog, "embedded")["fidelity"].light == lights(discs, "embedded")["fidelity"].light == "red"


def copying(**figures: float) -> Line:
    names = {"c_t": "C_T in 5 cells", "ratio": "distance ratio", "membership": "membership by distance, AUC"}
    rows = [copy_row(names[k], value=v, low=v - 0.01, high=v + 0.01, without=0.0) for k, v in figures.items()]
    gate = {"flagged": 2, "of": 200, "false_alarms": 0.01, "held_out": 400}
    return lights([], copy_gate=gate, copying=rows)["copying"]


def test_the_copying_light_follows_every_figure() -> None:
    assert copying(c_t=0.3, ratio=1.0, membership=0.5).light == "green"
    assert copying(c_t=-2.07).light == "amber"
    assert "C_T in 5 cells -2.07" in copying(c_t=-2.07).says
    assert copying(c_t=-3.4).light == "red"
    assert copying(c_t=2.5).light == "green"
    assert [copying(ratio=r).light for r in (0.97, 0.9, 0.6)] == ["green", "amber", "red"]
    assert [copying(membership=m).light for m in (0.52, 0.6, 0.9)] == ["green", "amber", "red"]


def test_real_images_among_the_synthetic_ones_are_copies_even_without_a_gate() -> None:
    line = lights([], shared_images=3, synthetic={**SYNTHETIC, "images": 60}, copying_refused="nothing held out")[
        "copying"
    ]
    assert line.light == "red"
    assert "3 of 60 synthetic images are real ones" in line.says
    assert lights([], copying_refused="nothing held out")["copying"].light == "not measured"


def blobs(counts: dict[str, int], seed: int, moved: float = 0.0) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    random = np.random.default_rng(seed)
    labels = np.repeat(list(counts), list(counts.values()))
    centres = {name: np.eye(6)[index] * 3 for index, name in enumerate(counts)}
    return np.stack([random.normal(size=6) + centres[label] + moved for label in labels]), labels


REAL = {"dermatofibroma": 60, "melanoma": 120, "nevus": 200}


def test_real_images_are_recognised_like_real_ones_and_exchanged_labels_are_red() -> None:
    real, made = blobs(REAL, 0), blobs(dict.fromkeys(REAL, 50), 1)
    found, refused = label_fidelity(made, real, np.arange(380), "x", 0)
    assert refused == []
    assert [recognition_light(one)[0] for one in found] == ["green"] * 3
    for one in found:
        assert 0 <= one.low <= one.value <= one.high <= 1
        assert one.floor_low <= one.floor <= one.floor_high
        assert (one.synthetic, one.real, one.groups) == (50, REAL[one.label], REAL[one.label])
    swapped = np.where(made[1] == "dermatofibroma", "nevus", np.where(made[1] == "nevus", "dermatofibroma", made[1]))
    wrong, _ = label_fidelity((made[0], swapped), real, np.arange(380), "x", 0)
    assert [recognition_light(one)[0] for one in wrong] == ["red", "green", "red"]
    assert wrong[0].mistaken_for == "nevus"
    assert "pass for nevus" in recognition_light(wrong[0])[1]


def test_a_class_that_the_classifier_does_not_know_is_not_judged() -> None:
    random = np.random.default_rng(0)
    rows, labels = random.normal(size=(300, 5)), np.repeat(["a", "b", "c"], 100)
    found, _ = label_fidelity((rows[::3], labels[::3]), (rows, labels), np.arange(300), "x", 0)
    assert {recognition_light(one)[0] for one in found} == {"not measured"}


def test_no_group_is_both_learned_from_and_held_out() -> None:
    """Groups whose images are alike, labelled by lot: a split that cuts them would recognise them."""
    random = np.random.default_rng(1)
    centres = random.normal(size=(60, 40)) * 5
    groups = np.repeat(np.arange(60), 6)
    rows, labels = centres[groups] + random.normal(size=(360, 40)) * 0.01, np.array(["a", "b"])[groups % 2]
    (one, _), _ = label_fidelity((rows, labels), (rows, labels), groups, "x", 0)
    assert one.floor < 0.7
    assert (one.real, one.groups) == (180, 30)
    assert one.floor_high - one.floor_low > 0.25, "thirty groups, not 180 images"
    (cut, _), _ = label_fidelity((rows, labels), (rows, labels), np.arange(360), "x", 0)
    assert cut.floor > 0.8


def test_too_few_images_have_no_label_fidelity_and_the_reason_is_said() -> None:
    real, made = blobs({**REAL, "rare": 7}, 0), blobs({**REAL, "rare": 30}, 1)
    few = made[1] != "melanoma"
    few[np.flatnonzero(made[1] == "melanoma")[:5]] = True
    found, refused = label_fidelity((made[0][few], made[1][few]), real, np.arange(387), "x", 0)
    assert [one.label for one in found] == ["dermatofibroma", "nevus"]
    assert any("label fidelity of rare: real images of 7 patients" in str(line) for line in refused)
    assert any("label fidelity of melanoma: 5 synthetic images, at least 20" in str(line) for line in refused)
    result = evaluation(
        label_fidelity=found, refused=refused, synthetic={**SYNTHETIC, "classes": ["melanoma", "nevus"]}
    )
    lines = {label: {line.question: line for line in told} for label, told in class_verdicts(result).items()}
    assert lines["melanoma"]["label"].light == "not measured"
    assert "5 synthetic images" in lines["melanoma"]["label"].says
    assert lines["nevus"]["label"].light == "green"


def test_the_worst_class_decides_over_all_and_each_has_its_own() -> None:
    one = {"low": 0.8, "high": 0.95, "synthetic": 100, "floor": 0.9, "floor_low": 0.85, "floor_high": 0.95, "others": 0.1, "others_high": 0.12,
           "real": 200, "groups": 200, "mistaken_for": "nevus", "mistaken": 0.1, "passing": 0.05, "passing_high": 0.06, "classes": 2, "extractor": "x", "seed": 0}  # fmt: skip
    rows = [
        {"label": "nevus", "value": 0.9, **one},
        {"label": "melanoma", "value": 0.12, **one, "low": 0.07, "high": 0.2},
    ]
    result = evaluation(
        GOOD + [r | {"group": "nevus"} for r in changed("FID", 9)],
        label_fidelity=rows,
        synthetic={**SYNTHETIC, "classes": ["melanoma", "nevus"]},
    )
    worst = {line.question: line for line in verdict(result)}["labels"]
    assert worst.light == "red"
    assert worst.says.startswith("melanoma: 12%")
    found = {label: [line.light for line in lines] for label, lines in class_verdicts(result).items()}
    assert found == {"melanoma": ["not measured", "not measured", "red"], "nevus": ["red", "green", "green"]}


def test_intervals_that_overlap_are_amber_at_most() -> None:
    one = Recognition("a", 0.5, 0.3, 0.7, 20, 0.8, 0.6, 0.9, 0.1, 0.12, 30, 30, "", 0.0, 0.1, 0.15, 2, "x", 0)
    assert recognition_light(one)[0] == "amber"


def test_images_that_all_look_like_one_class_do_not_show_it() -> None:
    """Fog: two thirds of every class pass for nevus, as many as of real nevi; that is not recognition."""
    real, (rows, _) = blobs({"melanoma": 150, "nevus": 150}, 0), blobs({"x": 300}, 1)
    fog = (rows * 3, np.array(["melanoma", "nevus"])[np.arange(300) % 2])
    found = {one.label: one for one in label_fidelity(fog, real, np.arange(300), "x", 0)[0]}
    assert found["nevus"].value == pytest.approx(found["nevus"].passing, abs=0.15)
    assert {recognition_light(one)[0] for one in found.values()} <= {"red", "amber"}
    assert "of synthetic images of other classes are also classified as it" in recognition_light(found["nevus"])[1]


def test_every_metric_has_a_meaning_and_a_value_outside_its_interval_a_reason() -> None:
    for metric in METRICS.values():
        assert metric.says
        assert metric.good
        assert metric.section
    assert METRICS["lpips"].good == METRICS["ms_ssim"].good

    def reason(metric: str, value: float) -> str:
        return outside(Estimate.model_validate(any_row(metric, value=value, low=1.0, high=4.0)))

    assert reason("FID-768", 5.0).startswith("few images raise")
    assert reason("precision", 5.0)
    assert reason("FID", 3.0) == ""


def test_rows_of_earlier_versions_are_recognised_by_their_names() -> None:
    assert parse_name("FID-embedded at infinity") == ("fid_infinity", "")
    assert parse_name("LPIPS, AlexNet, of pairs") == ("lpips", "LPIPS, AlexNet")
    assert parse_name("SWD 64 px") == ("swd", "64 px")
    assert parse_name("C_T in 5 cells-embedded") == ("memorisation", "5")
    without = {key: value for key, value in any_row("KID-768 x 1000").items() if key not in ("id", "part")}
    assert Estimate.model_validate(without).id == "kid"
    with pytest.raises(ValueError, match="no metric of this version"):
        parse_name("beauty")


def test_no_figure_without_a_floor_is_judged() -> None:
    rows = [Estimate.model_validate(row(metric, 1, 0)) for metric in ("FID", "precision")]
    assert floors.judgements(rows, "fidelity") == []
    assert floors.worst([]) == "not measured"
