"""Write the pack: drawn images, their masks, and golden values of other people's packages on them.

python -m tests.pack.make    (needs torch-fidelity, torchvision and lpips)
"""

import json
from typing import Any
from unittest import mock

import lpips
import torch
import torchvision
from torch import Tensor
from torch_fidelity import feature_extractor_inceptionv3 as fidelity

from dermsynth.data.phantom import PhantomSettings, draw_parameters, render
from dermsynth.images import encode_png
from tests import pack
from tests.pack import weights

COUNT, FIRST_SEED = 12, 5000
DEPTHS = (64, 192, 768, 2048)
PICTURES = 3
HEADER = "image,label,mask,source,licence,dark_corner,hair,ruler,ink"


def write_images() -> None:
    """Twelve images of 64 x 48 pixels, lossless, in the columns of the table of real images."""
    rows = [HEADER]
    settings = PhantomSettings(48, 64)
    for number in range(COUNT):
        drawn = render(draw_parameters(FIRST_SEED + number, settings), settings)
        for folder, pixels in (("images", drawn.image), ("masks", drawn.lesion)):
            (pack.FOLDER / folder).mkdir(exist_ok=True)
            (pack.FOLDER / folder / f"drawn_{number:02d}.png").write_bytes(encode_png(pixels, compression=9))
        name, shown = f"drawn_{number:02d}.png", drawn.parameters.artefacts
        flags = [int(artefact in shown) for artefact in ("frame", "hair", "ruler", "ink")]
        rows.append(
            ",".join(map(str, (f"images/{name}", drawn.parameters.label, f"masks/{name}", "drawn", "CC-0", *flags)))
        )
    pack.TABLE.write_text("\n".join(rows) + "\n")


def summary(features: Tensor) -> dict[str, Any]:
    """What is compared of features [n, d]: the first eight of each image, and all as one mean and one norm an image."""
    return {
        "first": [[round(float(v), 6) for v in row[:8]] for row in features],
        "mean": [round(float(v), 6) for v in features.mean(dim=1)],
        "norm": [round(float(v), 5) for v in features.norm(dim=1)],
    }


def inception_values(images: Tensor) -> dict[str, Any]:
    with (
        mock.patch.object(fidelity, "load_state_dict_from_url", return_value={}),
        mock.patch.object(fidelity.FeatureExtractorInceptionV3, "load_state_dict", return_value=None),
    ):
        network = fidelity.FeatureExtractorInceptionV3("inception-v3-compat", list(map(str, DEPTHS))).eval()
    shapes = {k.removesuffix(".conv.weight"): list(v.shape) for k, v in network.state_dict().items() if "conv.w" in k}
    missing = torch.nn.Module.load_state_dict(network, weights.inception(shapes), strict=False).missing_keys
    assert not [key for key in missing if not key.endswith(("bn.weight", "num_batches_tracked", "fc.bias"))], missing
    features = [f.flatten(1) for f in network(images)]
    logits = features[-1].double() @ network.fc.weight.T.double()
    return {
        "convolutions": shapes,
        "features": {str(d): summary(f) for d, f in zip(DEPTHS, features, strict=True)},
        "probabilities": summary(logits.softmax(dim=1) * 1000),
    }


def mobilenet_values(images: Tensor) -> dict[str, Any]:
    network = torchvision.models.mobilenet_v2().eval()
    shapes = {k: list(v.shape) for k, v in network.features.state_dict().items()}
    network.features.load_state_dict(weights.drawn(shapes))
    mean, deviation = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return {"shapes": shapes, "features": summary(network.features((images / 255 - mean) / deviation).mean(dim=(2, 3)))}


def lpips_values(images: Tensor) -> dict[str, Any]:
    network = lpips.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False).eval()
    state = weights.lpips_alexnet()
    missing = network.load_state_dict(state, strict=False).missing_keys
    assert not [key for key in missing if not key.startswith(("scaling_layer", "lins."))], missing
    for number, layer in enumerate(network.lins):
        assert torch.equal(layer.model[1].weight, state[f"lin{number}.model.1.weight"])
    scaled = images / 127.5 - 1
    return {"distances": [round(float(v), 7) for v in network(scaled, scaled.roll(1, dims=0)).flatten()]}


def write_values() -> None:
    pixels = pack.images()[:PICTURES]
    whole = torch.from_numpy(pixels)
    large = torch.from_numpy(pack.enlarged(pixels)).float()
    with torch.inference_mode():
        values = {
            "inception": inception_values(whole),
            "mobilenet": mobilenet_values(large),
            "lpips": lpips_values(whole.float()),
        }
    pack.GOLDEN.write_text(json.dumps(values, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    write_images()
    write_values()
