"""The verb `demo`: the whole chain in minutes, without a GPU."""

from pathlib import Path


def demo(*, out: Path = Path("demo"), images: str = "2k", count: int = 400) -> None:
    """Make images with the generator that comes with dermsynth; then draw a phantom, audit it, start from that generator to
    learn it, generate, evaluate and report. Repeated, it continues.

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
    from dermsynth.cli.flags import say
    from dermsynth.cli.synthetic import Images as Quotas
    from dermsynth.cli.synthetic import evaluate, gallery, generate, report
    from dermsynth.cli.training import Images, Loop, train
    from dermsynth.training.pretrained import BASE, require_pretrained

    base = require_pretrained(BASE)
    data, run, synthetic, skin = out / "data", out / "run", out / "synthetic", out / "skin"
    generate(Path(BASE), out=skin, images=Quotas(count=("36",), truncation=0.8))
    gallery((skin,), out=out / "gallery")
    if not (data / "dataset.json").exists():
        phantom(out=data, count=count, resolution=base.resolution)
    audit(data)
    selection = Images(data=data, resolution=base.resolution)
    train("stylegan2-ada", out=run, images=images, selection=selection, loop=Loop(from_base=True, snapshot="500"))
    generate(run, out=synthetic, images=Quotas(count=("40",)))
    evaluate(synthetic, against=data)
    report(run, evaluation=(synthetic,))
    say(
        "",
        f"{skin}: images of the generator that comes with dermsynth, learnt from photographs; no photographs of anyone "
        f"({out / 'gallery'} shows them, {base.card} says what they are)",
        f"{synthetic}: images of a generator that began with it and learnt {images} drawings of the phantom",
    )
