"""Writes expected.json and features.safetensors: what EfficientNet-Lite0 gives for pictures that a formula draws.

    python reference/lite0/make.py

The weights are f32 (the stored ones: large matrices rounded to f16), the arithmetic is f64: the reference has no rounding
of its own to speak of. README.md beside this script describes the pictures and the files.
"""

import json
import re
from pathlib import Path

import numpy
import safetensors.numpy
import torch

import original

HERE = Path(__file__).resolve().parent


def splitmix64(counter):
    """The counter-th output (from 0) of SplitMix64 started at 0; arithmetic is modulo 2^64."""
    z = (counter.astype(numpy.uint64) + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return z ^ (z >> numpy.uint64(31))


def noise(y, x, c, height, width):
    return splitmix64((y * width + x) * 3 + c) >> numpy.uint64(56)


def tiles(y, x, c, height, width):
    columns = (width + 15) // 16
    return splitmix64((y // 16 * columns + x // 16) * 3 + c + 1_000_000) >> numpy.uint64(56)


def gradient(y, x, c, height, width):
    right = x * 255 // (width - 1)
    down = y * 255 // (height - 1)
    diagonal = (x + y) * 255 // (width + height - 2)
    return numpy.choose(c, [right, down, diagonal])


CASES = [
    ("noise", noise, 224, 224),
    ("tiles", tiles, 224, 224),
    ("gradient", gradient, 224, 224),
    ("tiles_160x224", tiles, 160, 224),
    ("noise_97x131", noise, 97, 131),
]


def picture(formula, height, width):
    y, x, c = numpy.indices((height, width, 3))
    return formula(y, x, c, height, width).astype(numpy.uint8)


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


def short(values):
    """Nine significant digits, which tell any two f32 apart."""
    return [float(f"{value:.9g}") for value in numpy.asarray(values).reshape(-1)]


def summary(name, output):
    height, width, _ = output.shape
    return {
        "stage": name,
        "shape": list(output.shape),
        "mean": short(output.mean())[0],
        "mean_magnitude": short(numpy.abs(output).mean())[0],
        "first": short(output[0, 0, :8]),
        "middle": short(output[height // 2, width // 2, :8]),
        "last": short(output[height - 1, width - 1, :8]),
    }


def top(logits):
    indices = numpy.argsort(-logits, kind="stable")[:10]
    return {"indices": indices.tolist(), "logits": short(logits[indices])}


def main():
    torch.set_num_threads(1)
    weights = {"original": original.original_weights(), "stored": original.stored_weights()}
    models = {name: original.network(tensors).double() for name, tensors in weights.items()}
    fixed = original.network(weights["original"], image_size=224).double()
    single = original.network(weights["original"])

    cases, features = [], {}
    for name, formula, height, width in CASES:
        pixels = picture(formula, height, width)
        inputs = original.tensor(pixels[None], torch.float64)
        case = {
            "name": name,
            "height": height,
            "width": width,
            "pixel_sum": int(pixels.sum()),
            "first_pixels": pixels.reshape(-1)[:12].tolist(),
        }
        for kind, model in models.items():
            found, logits = original.features_and_logits(model, inputs)
            features[f"{name}.{kind}"] = found[0].numpy().astype(numpy.float32)
            case[f"top_{kind}"] = top(logits[0].numpy())
        case["stages_stored"] = [summary(*stage) for stage in stages(models["stored"], inputs).items()]
        cases.append(case)

        exact = original.features_and_logits(models["original"], inputs)[0]
        if (height, width) == (224, 224):
            default = original.features_and_logits(fixed, inputs)[0]
            assert torch.equal(default, exact), "at 224 x 224 the package's fixed padding is the same as SAME"
        rounded = original.features_and_logits(single, inputs.float())[0]
        print(f"{name}: largest difference of PyTorch's own f32 arithmetic: {(rounded - exact).abs().max():.2g}")

    text = json.dumps({"cases": cases}, indent=1, sort_keys=True)
    lists_on_one_line = re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found.group().split()), text)
    HERE.joinpath("expected.json").write_text(lists_on_one_line + "\n")
    HERE.joinpath("features.safetensors").write_bytes(safetensors.numpy.save(features))


if __name__ == "__main__":
    main()
