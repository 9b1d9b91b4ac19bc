"""How often each augmentation is applied, relative to p. Imports no torch."""

from pydantic import BaseModel, ConfigDict, Field

Multiplier = Field(default=0.0, ge=0.0, le=1.0)


class Strengths(BaseModel):
    """Probability multiplier of every transformation: it is applied with probability p times this (appendix B)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flip: float = Multiplier
    rotate90: float = Multiplier
    translate_pixels: float = Multiplier
    scale: float = Multiplier
    rotate: float = Multiplier
    stretch: float = Multiplier
    translate: float = Multiplier
    brightness: float = Multiplier
    contrast: float = Multiplier
    luma_inversion: float = Multiplier
    hue: float = Multiplier
    saturation: float = Multiplier
    filtering: float = Multiplier
    noise: float = Multiplier
    cutout: float = Multiplier

    @property
    def invertible(self) -> bool:
        """Whether geometry and colour alone change, which a few numbers describe."""
        return not (self.filtering or self.noise or self.cutout)


_BLIT = {"flip": 1.0, "rotate90": 1.0, "translate_pixels": 1.0}
_GEOMETRY = {"scale": 1.0, "rotate": 1.0, "stretch": 1.0, "translate": 1.0}
_COLOUR = {"brightness": 1.0, "contrast": 1.0, "luma_inversion": 1.0, "hue": 1.0, "saturation": 1.0}

PRESETS = {
    "none": Strengths(),
    "blit": Strengths(**_BLIT),
    "bg": Strengths(**_BLIT, **_GEOMETRY),
    "bgc": Strengths(**_BLIT, **_GEOMETRY, **_COLOUR),
    "bgcf": Strengths(**_BLIT, **_GEOMETRY, **_COLOUR, filtering=1.0),
    "bgcfn": Strengths(**_BLIT, **_GEOMETRY, **_COLOUR, filtering=1.0, noise=1.0),
    "bgcfnc": Strengths(**_BLIT, **_GEOMETRY, **_COLOUR, filtering=1.0, noise=1.0, cutout=1.0),
    # Colour half as often as the rest, and cut-out: what is released with R3GAN (Huang et al. 2024).
    "r3gan": Strengths(**_BLIT, **_GEOMETRY, **dict.fromkeys(_COLOUR, 0.5), cutout=1.0),
    # Hue and luma carry the diagnosis: pigment that may turn green or white teaches the generator to paint it so.
    "skin": Strengths(**_BLIT, **_GEOMETRY, brightness=1.0, contrast=1.0, saturation=0.5),
}
"""`skin` is this project's default; the paper's choice is `bgc`."""
