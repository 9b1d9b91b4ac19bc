"""The arms of a utility experiment: real images, synthetic ones, both, and controls for longer training."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from dermsynth.errors import UserError
from dermsynth.utility.augmentation import Way


@dataclass(frozen=True)
class Arm:
    """One way to train a classifier; `name` is its identifier in every table.

    Parameters
    ----------
    name
        Unique within an experiment.
    real
        Share of the real training images, 0 to 1.
    synthetic
        Synthetic images for each image of the whole real training set; None for all that there are.
    length
        Training length, in multiples of the experiment's number of images shown.
    classical
        Whether images are also scaled, shifted and recoloured (classical augmentation).
    way
        How images are drawn and changed, where it is another way than all arms have: `weights` (images as often as they occur,
        and a loss that weighs the classes alike, instead of both classes equally often), `mixup`, `cutmix`, or `copies` (every
        other image strongly changed: the simplest generator).
    variant
        Another synthetic set than the experiment's, edited or without artefacts; with no synthetic images, edited copies of
        the real training images.
    """

    name: str
    real: float = 1.0
    synthetic: float | None = 0.0
    length: float = 1.0
    classical: bool = False
    variant: str = ""
    way: Way = ""

    @property
    def is_mixed(self) -> bool:
        """Whether all real images and synthetic ones are shown together."""
        return self.real == 1 and self.synthetic != 0

    @property
    def has_few_real(self) -> bool:
        """Whether only some of the real images, and synthetic ones, are shown together."""
        return 0 < self.real < 1 and self.synthetic != 0

    @property
    def is_real_only(self) -> bool:
        """Whether it shows unedited real images alone, for as long as the baseline: a point of the learning curve."""
        return self.synthetic == 0 and self.length == 1 and not self.variant and not self.way


def mixed(ratio: float) -> Arm:
    """Real and synthetic images, shown for so long that every real image is seen as often as without synthetic ones."""
    return Arm(f"mixed 1:{ratio:g}", synthetic=ratio, length=1 + ratio)


REAL = Arm("real")
OVERSAMPLED = Arm("real, shown twice as long", length=2.0)
CLASSICAL = Arm("real, classical augmentation", length=2.0, classical=True)
SYNTHETIC = Arm("synthetic", real=0.0, synthetic=None)
BASELINES = {
    "weights": Arm("real, class weights", way="weights"),
    "mixup": Arm("real, mixup", length=2.0, way="mixup"),
    "cutmix": Arm("real, CutMix", length=2.0, way="cutmix"),
    "copies": Arm("real, strongly changed copies", length=2.0, way="copies"),
}
"""What needs no generator. Arms that change images are shown twice as long, as `classical` is."""
ARMS = (REAL, OVERSAMPLED, CLASSICAL, SYNTHETIC, mixed(0.5), mixed(1))
"""The default arms. Mixed arms are compared with both real ones: longer training alone is no merit of synthetic images."""
FEW = "+synthetic"
"""Ending of the name of an arm that shows synthetic images beside some of the real ones."""
NAMED = {"real": REAL, "oversampled": OVERSAMPLED, "classical": CLASSICAL, "synthetic": SYNTHETIC, **BASELINES}


def real_share(share: float) -> Arm:
    """Real images alone, fewer of them: the scale on which a synthetic set's worth is read."""
    return Arm(f"real, {100 * share:g}% of the images", real=share)


def few_real(share: float) -> Arm:
    """Some of the real images, and all synthetic ones shown as often: the learning curve with synthetic images."""
    return Arm(f"real, {100 * share:g}% of the images, with synthetic", real=share, synthetic=None, length=2.0)


def parse_arms(
    arms: Sequence[str | Arm], variants: Collection[str] = (), copies: Collection[str] = ()
) -> tuple[Arm, ...]:
    """Arms as they are, or by name: `real`, `oversampled`, `classical`, `synthetic`, `weights`, `mixup`, `cutmix`, `copies`,
    `mixed=RATIO`, `real=SHARE`, `real=SHARE+synthetic`.

    Parameters
    ----------
    arms
        `synthetic@NAME`, `mixed=RATIO@NAME` and `real=SHARE+synthetic@NAME` use a synthetic variant, `real@NAME` and
        `real=SHARE@NAME` edited copies. Where there are none: the default arms, `synthetic` and `mixed=1` of every variant,
        and `real` of all copies.
    variants
        Names of further synthetic sets.
    copies
        Names of edited copies of the real set.

    Returns
    -------
    tuple of Arm
        Without duplicates; `real` always comes first.

    Raises
    ------
    UserError
        For an unknown name, number or variant.
    """
    if not arms:
        of_variants = [_with_variant(arm, name) for name in variants for arm in (SYNTHETIC, mixed(1))]
        return (*ARMS, *of_variants, *(_with_variant(REAL, name) for name in copies))
    return tuple(dict.fromkeys([REAL, *(_parse_arm(arm, variants, copies) for arm in arms)]))


def _parse_arm(text: str | Arm, variants: Collection[str], copies: Collection[str]) -> Arm:
    if isinstance(text, Arm):
        return text
    name, at, variant = text.partition("@")
    arm = _parse_plain_arm(name)
    if not at:
        return arm
    if variant not in (copies if arm.synthetic == 0 else variants):
        raise UserError(
            f"`arms` {text!r}: after @ comes a name given with `variants`: a synthetic set after synthetic or mixed=RATIO, "
            "edited copies of the real set after real"
        )
    return _with_variant(arm, variant)


def _parse_plain_arm(text: str) -> Arm:
    with_synthetic = text.startswith("real=") and text.endswith(FEW)
    kind, equals, value = text.removesuffix(FEW if with_synthetic else "").partition("=")
    number = _number(value) if equals else None
    if not equals and kind in NAMED:
        return NAMED[kind]
    if kind == "mixed" and number is not None and 0 < number <= 100:
        return mixed(number)
    if kind == "real" and number is not None and 0 < number < 1:
        return few_real(number) if with_synthetic else real_share(number)
    raise UserError(
        f"`arms` {text!r}: write {', '.join(NAMED)}, mixed=RATIO, real=SHARE or real=SHARE+synthetic (below 1)"
    )


def _with_variant(arm: Arm, variant: str) -> Arm:
    return replace(arm, name=f"{arm.name}, {variant}", variant=variant)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
