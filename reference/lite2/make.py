"""Writes expected.json and features.safetensors: what EfficientNet-Lite2 gives for pictures that a formula draws.

    python reference/lite2/make.py

The weights are f32, the formula's or the published ones; the arithmetic is f64. README.md beside this script describes the
pictures, the formula and the files.
"""

import sys
from pathlib import Path

import numpy
import safetensors.numpy
import torch

import formula

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lite0"))
import original
import pictures

CASES = [
    ("noise_64x64", 64, 64, "formula"),
    ("tiles_97x131", 97, 131, "formula"),
    ("tiles_260x260", 260, 260, "published"),
]


def filled(published):
    """The formula's values under the names of the checkpoint."""
    shapes = {name: values.shape for name, values in published.items() if not name.endswith("num_batches_tracked")}
    weights = {name: formula.tensor(name, shape) for name, shape in shapes.items()}
    return weights | original.counters(weights)


def main():
    torch.set_num_threads(1)
    published = original.LITE2.weights()
    weights = {"published": published, "formula": filled(published)}
    cases, features = [], {}
    for name, height, width, kind in CASES:
        pixels = pictures.picture(name, height, width)
        inputs = original.tensor(pixels[None], torch.float64)
        model = original.LITE2.network(weights[kind]).double()
        found, logits = original.features_and_logits(model, inputs)
        features[f"{name}.{kind}"] = found[0].numpy().astype(numpy.float32)
        cases.append(original.case(name, kind, pixels, model, logits))

        single = original.LITE2.network(weights[kind])
        rounded = original.features_and_logits(single, inputs.float())
        differences = [(one - other).abs().max() for one, other in zip(rounded, (found, logits))]
        print(f"{name}: largest difference of PyTorch's own f32 arithmetic: features {differences[0]:.2g}, logits {differences[1]:.2g}")
        if height == original.LITE2.input:
            default = original.LITE2.network(weights[kind], image_size=height).double()
            assert torch.equal(original.features_and_logits(default, inputs)[0], found), "fixed padding is SAME at this size"

    pictures.write(HERE / "expected.json", {"cases": cases})
    HERE.joinpath("features.safetensors").write_bytes(safetensors.numpy.save(features))


if __name__ == "__main__":
    main()
