"""Writes expected.json and outputs.safetensors: what ResNet-50 gives for weights and pictures that formulas draw.

    python reference/resnet50/make.py

The weights are f32, the arithmetic is f64: the reference has no rounding of its own to speak of. README.md beside this
script describes weights, pictures and files.
"""

import importlib
import multiprocessing
import sys
from pathlib import Path

import numpy
import safetensors.numpy

import formula

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import pictures

CASES = [
    ("tiles", 224, 224),
    ("gradient", 224, 224),
    ("tiles_160x224", 160, 224),
    ("noise_61x83", 61, 83),
]


def variant(framework):
    """What expected.json tells about one framework, and the outputs by name."""
    networks = importlib.import_module(f"{framework}_network")
    tensors = formula.tensors(framework)
    cases, outputs = [], {}
    for name, height, width in CASES:
        pixels = pictures.picture(name, height, width)
        exact = networks.network(tensors, (height, width), "float64")
        stages, features, logits = networks.outputs(exact, pixels[None])
        case = pictures.described(name, pixels)
        case["stages"] = [pictures.stage(stage, output[0]) for stage, output in stages.items()]
        cases.append(case)
        outputs[f"{framework}.{name}.features"] = features[0].astype(numpy.float32)

        single = networks.network(tensors, (height, width), "float32")
        _, rounded, rounded_logits = networks.outputs(single, pixels[None])
        difference = numpy.linalg.norm(rounded - features) / numpy.linalg.norm(features)
        text = f"{framework}, {name}: the framework's own f32 moves the features by {difference:.1e} of their length"
        if logits is not None:
            outputs[f"{framework}.{name}.logits"] = logits[0].astype(numpy.float32)
            text += f", a logit by up to {numpy.abs(rounded_logits - logits).max():.1e}"
        print(text, flush=True)
    digest = f"{formula.digest(tensors):016x}"
    return {"framework": framework, "digest": digest, "cases": cases}, outputs


def main():
    variants, outputs = [], {}
    for framework in formula.FRAMEWORKS:
        # Each in a process of its own: see keras_network.py.
        with multiprocessing.get_context("spawn").Pool(1) as process:
            described, found = process.apply(variant, [framework])
        variants.append(described)
        outputs |= found
    pictures.write(HERE / "expected.json", {"variants": variants})
    HERE.joinpath("outputs.safetensors").write_bytes(safetensors.numpy.save(outputs))


if __name__ == "__main__":
    main()
