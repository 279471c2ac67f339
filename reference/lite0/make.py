"""Writes expected.json and features.safetensors: what EfficientNet-Lite0 gives for pictures that a formula draws.

    python reference/lite0/make.py

The weights are f32 (the stored ones: large matrices rounded to f16), the arithmetic is f64: the reference has no rounding
of its own to speak of. README.md beside this script describes the pictures and the files.
"""

import sys
from pathlib import Path

import numpy
import safetensors.numpy
import torch

import original

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import pictures

CASES = [
    ("noise", 224, 224),
    ("tiles", 224, 224),
    ("gradient", 224, 224),
    ("tiles_160x224", 160, 224),
    ("noise_97x131", 97, 131),
]


def stages(model, inputs):
    """Name → output [height, width, channels] of the stem, each block and the head (before pooling)."""
    outputs = {}

    def keep(name, values):
        outputs[name] = values[0].permute(1, 2, 0).numpy()

    hooks = [model._blocks[0].register_forward_pre_hook(lambda module, given: keep("stem", given[0]))]
    for index, block in enumerate(model._blocks):
        hooks.append(block.register_forward_hook(lambda module, given, got, name=f"block {index}": keep(name, got)))
    with torch.no_grad():
        keep("head", model.extract_features(inputs))
    for hook in hooks:
        hook.remove()
    return outputs


def main():
    torch.set_num_threads(1)
    weights = {"original": original.original_weights(), "stored": original.stored_weights()}
    models = {name: original.network(tensors).double() for name, tensors in weights.items()}
    fixed = original.network(weights["original"], image_size=224).double()
    single = original.network(weights["original"])

    cases, features = [], {}
    for name, height, width in CASES:
        pixels = pictures.picture(name, height, width)
        inputs = original.tensor(pixels[None], torch.float64)
        case = pictures.described(name, pixels)
        for kind, model in models.items():
            found, logits = original.features_and_logits(model, inputs)
            features[f"{name}.{kind}"] = found[0].numpy().astype(numpy.float32)
            case[f"top_{kind}"] = pictures.top(logits[0].numpy())
        case["stages_stored"] = [pictures.stage(*stage) for stage in stages(models["stored"], inputs).items()]
        cases.append(case)

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
