"""Protocols: what the built-in ones say, and what a wrong file is told."""

from pathlib import Path

import pytest

from dermsynth.errors import UserError
from dermsynth.study.protocol import BUILT_IN, Question, parse_protocol, protocol_text
from dermsynth.study.texts import LANGUAGES, catalogue
from dermsynth.study.web.pages import _keys
from tests.study.conftest import read_protocol


def test_the_documents_protocols_are_built_in() -> None:
    found = {name: read_protocol(name) for name in ("baur", "furger", "rosen")}
    counts = {name: {i.kind: i.count for i in p.conditions[0].images} for name, p in found.items() if name != "rosen"}
    assert counts == {"baur": {"real": 50, "synthetic": 30}, "furger": {"real": 10, "synthetic": 10}}
    assert (found["baur"].positive, found["rosen"].positive) == ("real", "synthetic")
    assert found["baur"].back
    assert 2000 <= found["furger"].exposure_ms <= 3000
    assert found["furger"].conditions[0].per_label
    assert [q.type for q in found["rosen"].questions] == ["choice", "kind", "scale"]
    assert all(set(p.title) == {"en", "de"} for p in found.values())


def test_pictures_shown_together_are_built_in() -> None:
    found = {name: read_protocol(name).sets for name in ("quartet", "pairs", "generators")}
    assert {name: (sets.pictures, sets.real) for name, sets in found.items() if sets is not None} == {
        "quartet": (4, True), "pairs": (2, True), "generators": (2, False),
    }  # fmt: skip


def test_every_word_is_there_in_every_language() -> None:
    for key, texts in catalogue().items():
        assert set(texts) == set(LANGUAGES), key
        places = [sorted(part.split("}")[0] for part in text.split("{")[1:]) for text in texts.values()]
        assert places[0] == places[1], key
    for name in BUILT_IN:
        assert all(f"group_{group}" in catalogue() for group in read_protocol(name).groups)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("back = true", "back = true\nshoes = 3"), "shoes"),
        (("count = 50", "count = 0"), "conditions.0.images.0.count"),
        (('kind = "real"', 'kind = "painted"'), "conditions.0.images.0.kind"),
        (('type = "kind"', 'type = "text"\ntext = { en = "a", de = "b" }'), "exactly one question must have the type 'kind'"),
        (("back = true", "back = true\nexposure_ms = 900"), "exposure_ms or back"),
        (('de = "Echt oder erzeugt?"', ""), "a text is missing in de"),
        (('[[questions]]', '[[questions]]\nname = "kind"\ntype = "scale"\n[[questions]]'), "two questions have one name"),
        (("count = 30", 'count = 30, selection = "listed"'), "`names` goes with selection"),
        (("count = 30", 'count = 30, selection = "listed", names = ["a.png"]'), "count = 30, but 1 different `names`"),
        (("back = true", "conditions_each = 2"), "conditions_each = 2, but 1 conditions"),
        (("positive", "= positive"), "not TOML"),
        (('name = "kind"', 'name = "label"'), "a question cannot be named 'label'"),
        (('name = "kind"', 'name = "real_or_not"'), "has no `text`"),
        (('"other_doctor"', '"wizard"'), "group 'wizard' has no words"),
    ],
)  # fmt: skip
def test_a_wrong_protocol_is_told_in_one_line(change: tuple[str, str], said: str) -> None:
    text = protocol_text("baur")
    assert change[0] in text
    with pytest.raises(UserError) as caught:
        parse_protocol(text.replace(*change), "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: ")
    assert said in message
    assert "\n" not in message


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    for place in ("nowhere.toml", str(tmp_path)):
        with pytest.raises(
            UserError, match="neither baur, furger, rosen, quartet, pairs, generators nor a readable file"
        ):
            read_protocol(place)


def test_every_option_is_there_whether_it_has_a_key_or_not() -> None:
    options = tuple(f"d{i}" for i in range(8))
    questions = [Question(name=f"q{n}", type="choice", options=options, text={"en": "?", "de": "?"}) for n in range(5)]
    keys = _keys(read_protocol("baur").model_copy(update={"questions": tuple(questions)}))
    assert all(tuple(found) == options for found in keys.values())
    assert [found["d0"] for found in keys.values()] == ["a", "q", "z", "", ""]
    assert keys["q0"]["d7"] == ""


def test_answers_are_checked() -> None:
    scale = Question(name="certainty", type="scale")
    assert [v for v in ("0", "1", "5", "6", "٣", "", "1.0", "-1") if scale.accepts(v)] == ["1", "5"]
    kind = Question(name="kind", type="kind")
    assert kind.accepts("real")
    assert not kind.accepts("Real")
    choice = Question(name="diagnosis", type="choice", options=("melanoma",))
    assert choice.accepts("melanoma")
    assert not choice.accepts("nevus")
    text = Question(name="remark", type="text", required=False)
    assert text.accepts("x" * 2000)
    assert not text.accepts("x" * 2001)
