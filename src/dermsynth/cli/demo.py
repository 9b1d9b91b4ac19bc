"""The verb `demo`: the whole chain on the phantom, in minutes, without a GPU."""

from pathlib import Path

from dermsynth.cli.options import Resolution


def demo(*, out: Path = Path("demo"), images: str = "12k", resolution: Resolution = "32", count: int = 1000) -> None:
    """Draw a phantom, audit it, train on it, generate, evaluate and report. Repeated, it continues.

    Parameters
    ----------
    out
        Folder for everything.
    images
        Length of the training in real images shown.
    count
        How many images the phantom has.
    """
    from dermsynth.cli.datasets import audit, phantom
    from dermsynth.cli.synthetic import Images as Quotas
    from dermsynth.cli.synthetic import evaluate, generate, report
    from dermsynth.cli.training import Images, Loop, Model, train

    # a sixth of the laptop preset's arithmetic: what two cores show 12,000 images to in under two minutes
    small = Model(batch=16, set=("channel_base=512", "channel_max=32", "latent=64"))
    data, run, synthetic = out / "data", out / "run", out / "synthetic"
    if not (data / "dataset.json").exists():
        phantom(out=data, count=count, resolution=resolution)
    audit(data)
    selection = Images(data=data, resolution=resolution)
    train("stylegan2-ada", out=run, images=images, selection=selection, model=small, loop=Loop(snapshot="3k"))
    generate(run, out=synthetic, images=Quotas(count=("100",)))
    evaluate(synthetic, against=data)
    report(run, evaluation=(synthetic,))
