"""No step writes into its inputs: sets and runs of mode 555 are used by every later step, in a process without root's rights."""

from pathlib import Path

import pytest

from dermsynth.data.cache import Decoding
from dermsynth.data.dataset import open_data_set
from dermsynth.data.phantom import PhantomSettings, write_phantom
from dermsynth.data.training_set import Selection
from dermsynth.io import read_json
from dermsynth.models.inputs import DataRequest
from dermsynth.sampling.generate import generate
from dermsynth.sampling.generator import load_generator
from dermsynth.training.data import load_training_images
from dermsynth.training.loop import train
from tests.conftest import tiny_config
from tests.read_only import call, dermsynth, python, read_only


def _explore(run: Path) -> None:
    from dermsynth.explore.serve import prepare_page

    print(prepare_page(run, [], ["frame"], "", which="last", device="cpu", port=0).gate)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A real set, a run trained on its split, and a set made from that."""
    folder = tmp_path_factory.mktemp("inputs")
    real = write_phantom(folder / "real", 700, PhantomSettings(16, 16), jobs=1)
    config, _ = tiny_config(real)
    request = DataRequest(Decoding(16, 16), Selection("train", (), conditional=True))
    settings, chosen = load_training_images("stylegan2-ada", real, request, seed=0)
    train(folder / "run", config.model_copy(update={"data": settings}), chosen, watchers=[], device="cpu")
    generate(load_generator(folder / "run", device="cpu"), {"melanoma": 60, "nevus": 60}, folder / "made")
    return {name: folder / name for name in ("real", "run", "made")}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_mode_555_is_read_only_to_the_process(inputs: dict[str, Path], cache: Path) -> None:
    with read_only([inputs["made"]]):
        done = python("-c", f"open({str(inputs['made'] / 'new')!r}, 'w')", cache=cache)
    assert "PermissionError" in done.stderr


def test_utility_writes_into_its_folder_alone(inputs: dict[str, Path], tmp_path: Path, cache: Path) -> None:
    out = tmp_path / "utility"
    with read_only(list(inputs.values())):
        arguments = ["--real", inputs["real"], "--positive", "melanoma", "--negative", "nevus", "--images", 320]
        arms = ["--arms", "real", "--arms", "mixed=0.1", "--repeats", 1, "--batch", 16]
        said = dermsynth("utility", inputs["made"], *arguments, *arms, "--out", out, cache=cache)
    assert "mixed 1:0.1" in said
    told = read_json(out / "usefulness.json")
    assert told["content_hash"] == open_data_set(inputs["made"]).content_hash
    assert told["verdict"] == read_json(out / "utility.json")["verdict"]


def test_directions_edits_and_comparisons_leave_run_and_set_alone(
    inputs: dict[str, Path], tmp_path: Path, cache: Path
) -> None:
    run, made = inputs["run"], inputs["made"]
    found, edited = tmp_path / "found", tmp_path / "edited"
    chosen = ["--directions", found / "directions.safetensors"]
    with read_only(list(inputs.values())):
        dermsynth("latents", "directions", "sefa", run, "--components", 1, "--out", found, cache=cache)
        edit = ["--direction", "sefa0", "--steps", 1, "--out", edited]
        dermsynth("latents", "edit", made, *chosen, *edit, cache=cache)
        compare = ["--target", "bubble", "--steps", 1, "--out", tmp_path / "compared"]
        dermsynth("latents", "compare", run, *chosen, *compare, cache=cache)
    assert len(open_data_set(edited).table) == 120
    assert read_json(tmp_path / "compared" / "entanglement.json")["rows"][0]["direction"] == "sefa0"


def test_a_projection_leaves_the_run_alone(inputs: dict[str, Path], tmp_path: Path, cache: Path) -> None:
    photograph = open_data_set(inputs["real"]).paths[0]
    with read_only(list(inputs.values())):
        arguments = ["--label", "nevus", "--steps", 2, "--out", tmp_path / "projected"]
        said = dermsynth("latents", "project", inputs["run"], photograph, *arguments, cache=cache)
    assert "PSNR" in said


def test_the_explorer_leaves_run_and_data_alone(inputs: dict[str, Path], cache: Path) -> None:
    with read_only(list(inputs.values())):
        assert "held-out images" in call(_explore, inputs["run"], cache=cache)


def test_a_study_leaves_both_sets_alone(inputs: dict[str, Path], tmp_path: Path, cache: Path) -> None:
    arguments = ["--real", inputs["real"], "--synthetic", inputs["made"], "--protocol", "baur"]
    with read_only(list(inputs.values())):
        dermsynth("study", "create", *arguments, "--out", tmp_path / "study", cache=cache)
    assert len(list((tmp_path / "study" / "images").glob("*.png"))) == 80
