"""Writes expected.json and features.safetensors: what EfficientNet-Lite0 gives for pictures that a formula draws.

    python reference/lite0/make.py

The weights are f32 (the stored ones: large matrices rounded to f16), the arithmetic is f64: the reference has no rounding
of its own to speak of. README.md beside this script describes the pictures and the files.
"""

from pathlib import Path

import numpy
import safetensors.numpy
import torch

import original
import pictures  # Found by `original`.

HERE = Path(__file__).resolve().parent
CASES = [
    ("noise", 224, 224),
    ("tiles", 224, 224),
    ("gradient", 224, 224),
    ("tiles_160x224", 160, 224),
    ("noise_97x131", 97, 131),
]


def main():
    torch.set_num_threads(1)
    weights = {"original": original.LITE0.weights(), "stored": original.stored_weights()}
    models = {name: original.LITE0.network(tensors).double() for name, tensors in weights.items()}
    fixed = original.LITE0.network(weights["original"], image_size=224).double()
    single = original.LITE0.network(weights["original"])

    cases, features = [], {}
    for name, height, width in CASES:
        pixels = pictures.picture(name, height, width)
        inputs = original.tensor(pixels[None], torch.float64)
        outputs = {kind: original.features_and_logits(model, inputs) for kind, model in models.items()}
        features |= {f"{name}.{kind}": found[0].numpy().astype(numpy.float32) for kind, (found, _) in outputs.items()}
        case = original.case(name, "stored", pixels, models["stored"], outputs["stored"][1])
        cases.append(case | {"top_original": pictures.top(outputs["original"][1][0].numpy())})

        exact = original.features_and_logits(models["original"], inputs)[0]
        if (height, width) == (224, 224):
            default = original.features_and_logits(fixed, inputs)[0]
            assert torch.equal(default, exact), "at 224 x 224 the package's fixed padding is the same as SAME"
        rounded = original.features_and_logits(single, inputs.float())[0]
        print(f"{name}: largest difference of PyTorch's own f32 arithmetic: {(rounded - exact).abs().max():.2g}")

    pictures.write(HERE / "expected.json", {"cases": cases})
    HERE.joinpath("features.safetensors").write_bytes(safetensors.numpy.save(features))


if __name__ == "__main__":
    main()
