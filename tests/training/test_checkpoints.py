import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.optim import Adam

from dermsynth.errors import UserError
from dermsynth.training import checkpoints


def _save(run: Path, images: int, value: float = 1.0) -> checkpoints.Checkpoint:
    parameter = torch.nn.Parameter(torch.full((3,), value))
    optimiser = Adam([parameter], fused=True)
    parameter.grad = torch.ones(3)
    optimiser.step()
    state = checkpoints.CheckpointState(images=images, step=images // 8, family="stylegan2-ada", classes=())
    return checkpoints.save(run, {"p": parameter.detach()}, {"g": optimiser}, state)


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    saved = _save(tmp_path, 8)
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimiser = Adam([parameter], fused=True)
    checkpoints.restore_optimisers({"g": optimiser}, saved.optimiser())
    state = optimiser.state_dict()["state"][0]
    assert torch.allclose(state["exp_avg"], torch.full((3,), 0.1))
    assert float(state["step"]) == 1
    assert saved.network()["p"].shape == (3,)
    assert not list((tmp_path / "checkpoints").glob(".*"))


@pytest.mark.parametrize("file", [checkpoints.NETWORK, checkpoints.OPTIMISER, checkpoints.STATE])
@pytest.mark.parametrize("keep", [0, 5, 100])
def test_cut_at_any_byte_the_last_whole_one_is_used(tmp_path: Path, file: str, keep: int) -> None:
    _save(tmp_path, 8)
    path = _save(tmp_path, 16).path / file
    whole = path.read_bytes()
    path.write_bytes(whole[: min(keep, len(whole) - 1)])
    found, problems = checkpoints.last_whole(tmp_path)
    assert found is not None
    assert found.images == 8
    assert file in problems[0]
    with pytest.raises(UserError, match="damaged or cut short"):
        checkpoints.find(tmp_path, "16")
    _save(tmp_path, 16)  # the resumed run comes by again
    assert checkpoints.find(tmp_path).images == 16


def test_an_unfinished_folder_is_no_checkpoint(tmp_path: Path) -> None:
    _save(tmp_path, 8)
    shutil.copytree(tmp_path / "checkpoints" / "000000008", tmp_path / "checkpoints" / ".000000016.abc")
    (tmp_path / "checkpoints" / "000000024").mkdir()
    assert [c.images for c in checkpoints.checkpoints(tmp_path)] == [8]


def test_pruning_keeps_the_last_and_the_best(tmp_path: Path) -> None:
    for images in range(8, 64, 8):
        _save(tmp_path, images)
    checkpoints.prune(tmp_path, 2, best=16)
    assert [c.images for c in checkpoints.checkpoints(tmp_path)] == [16, 48, 56]


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):  # type: ignore[no-untyped-def]
            return (open, (str(tmp_path / "owned"), "w"))

    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError, match="a pickle"):
        checkpoints.load_tensors(path)
    with pytest.raises(UserError, match="a pickle"):
        checkpoints.find(path)
    assert not (tmp_path / "owned").exists()


def test_what_is_meant_and_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="neither a run nor a checkpoint"):
        checkpoints.find(tmp_path)
    saved = _save(tmp_path, 8)
    with pytest.raises(UserError, match=r"no checkpoint '9'; there are: last, best, 8"):
        checkpoints.find(tmp_path, "9")
    with pytest.raises(UserError, match="name its folder"):
        checkpoints.find(saved.path / checkpoints.NETWORK)


def test_nothing_but_safetensors_and_json_is_written(run: Path) -> None:
    suffixes = {p.suffix for p in (run / "checkpoints").rglob("*") if p.is_file()}
    assert suffixes == {".safetensors", ".json"}


def test_the_first_tensor_that_is_not_finite_is_named() -> None:
    assert checkpoints.first_not_finite({"a": torch.ones(2), "b": torch.tensor([1.0, float("nan")])}) == "b"
    assert checkpoints.first_not_finite({"a": torch.ones(2), "n": torch.tensor([1])}) is None


def test_save_twice_is_harmless(tmp_path: Path) -> None:
    first = _save(tmp_path, 8)
    assert _save(tmp_path, 8).hash == first.hash
    save_file({}, tmp_path / "empty.safetensors")
    assert checkpoints.load_tensors(tmp_path / "empty.safetensors") == {}
