"""What to train with these images, in this time."""

from dermsynth.api.places import open_named
from dermsynth.data.dataset import Data
from dermsynth.errors import UserError, require_number
from dermsynth.training import distributed
from dermsynth.training.advice import Advice
from dermsynth.training.advice import advise as give_advice


def advise(data: Data, *, minutes: float = 30, device: str = "auto") -> Advice:
    """Say which generator to train on a data set, at which size and for how long.

    What an image costs is measured on this machine, which takes seconds. Nothing is written.

    Parameters
    ----------
    data : DataSet, Path or str
        The real data set, at least 50 training images.
    minutes : float
        The time there is, above 0.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.

    Returns
    -------
    Advice
        ``command`` is what to run; ``reasons``, ``risks`` and ``expected`` say why, what may go wrong, and what such trainings
        gave on other images; ``text()`` has everything.

    Raises
    ------
    UserError
        Too few images, or a time that is none.

    Examples
    --------
    >>> import dermsynth as ds
    >>> advice = ds.advise("data", minutes=10, device="cpu")
    >>> advice.family in ("projected", "stylegan2-ada"), advice.images >= 1000
    (True, True)
    """
    if require_number(minutes, "minutes") <= 0:
        raise UserError(f"`minutes` {minutes:g}: must be above 0")
    return give_advice(open_named(data, "data"), minutes=minutes, device=distributed.choose_device(device))
