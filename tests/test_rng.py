import torch

from dermsynth.rng import Draws, seed_of


def test_a_share_of_the_batch_sees_the_rows_of_the_whole() -> None:
    whole = Draws.for_step(torch.device("cpu"), 5, total=8, start=0, count=8)
    part = Draws.for_step(torch.device("cpu"), 5, total=8, start=2, count=3)
    for draw in ("normal", "uniform", "normal"):
        assert torch.equal(getattr(whole, draw)(4)[2:5], getattr(part, draw)(4))


def test_bytes_are_uniform_and_the_rows_of_the_whole() -> None:
    whole = Draws.for_step(torch.device("cpu"), 5, total=8, start=0, count=8).bytes(50, 51)
    part = Draws.for_step(torch.device("cpu"), 5, total=8, start=2, count=3).bytes(50, 51)
    assert torch.equal(whole[2:5], part)
    counts = torch.bincount(whole.flatten(), minlength=256).double()
    expected = whole.numel() / 256
    assert len(counts) == 256
    assert float(((counts - expected) ** 2 / expected).sum()) < 350, "chi-squared with 255 degrees of freedom"


def test_seeds_do_not_collide() -> None:
    seeds = {seed_of(a, "step", b) for a in range(50) for b in range(200)}
    assert len(seeds) == 10_000
    assert all(0 <= s < 2**63 for s in seeds)
    assert seed_of(12, 3) != seed_of(1, 23)
