"""ResNet-50's weights by a formula, for Keras and for PyTorch: the same bits in every language, without a download.

README.md beside this script states the formula. Needs numpy alone.
"""

import math
import sys
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import pictures

STAGES = [(3, 64), (4, 128), (6, 256), (3, 512)]
FEATURES, CLASSES = 2048, 1000
WEIGHTS, BIAS, GAMMA, BETA, MEAN, VARIANCE = range(6)
FRAMEWORKS = ["keras", "pytorch"]
# Keras' network takes numbers as large as bytes, torchvision's takes them divided by their deviation, which is some 58.
STEM_DIVISOR = {"keras": 64, "pytorch": 1}
NORMS = {
    "keras": ["gamma", "beta", "moving_mean", "moving_variance"],
    "pytorch": ["weight", "bias", "running_mean", "running_var"],
}


def convolutions():
    """Each convolution's stage and block (none for the stem), part and shape [out, in, height, width], in order."""
    yield None, "stem", (64, 3, 7, 7)
    depth = 64
    for stage, (blocks, channels) in enumerate(STAGES):
        for block in range(blocks):
            yield (stage, block), "reduce", (channels, depth, 1, 1)
            yield (stage, block), "middle", (channels, channels, 3, 3)
            if block == 0:
                yield (stage, block), "project", (4 * channels, depth, 1, 1)
            yield (stage, block), "expand", (4 * channels, channels, 1, 1)
            depth = 4 * channels


def names(framework, place, part):
    """What the names of a convolution's and of its batch norm's tensors begin with."""
    if place is None:
        return ("conv1_conv/", "conv1_bn/") if framework == "keras" else ("conv1.", "bn1.")
    stage, block = place
    if framework == "keras":
        number = ["project", "reduce", "middle", "expand"].index(part)
        layer = f"conv{stage + 2}_block{block + 1}_{number}"
        return f"{layer}_conv/", f"{layer}_bn/"
    layer = f"layer{stage + 1}.{block}"
    if part == "project":
        return f"{layer}.downsample.0.", f"{layer}.downsample.1."
    number = ["reduce", "middle", "expand"].index(part) + 1
    return f"{layer}.conv{number}.", f"{layer}.bn{number}."


def values(layer, kind, shape, centre, spread):
    """f32 of that shape around `centre`, at most `spread` away from it."""
    counter = numpy.arange(math.prod(shape), dtype=numpy.uint64) + numpy.uint64((8 * layer + kind) << 32)
    steps = (pictures.splitmix64(counter) >> numpy.uint64(40)).astype(numpy.float64)
    signed = (2 * steps + 1 - 2**24) / 2**24
    return (centre + spread * signed).astype(numpy.float32).reshape(shape)


def tensors(framework):
    """All tensors by the names that the framework gives them, as the axes lie there."""
    found = {}
    layer = 0
    for layer, (place, part, shape) in enumerate(convolutions()):
        convolution, norm = names(framework, place, part)
        divisor = STEM_DIVISOR[framework] if place is None else 1
        weights = values(layer, WEIGHTS, shape, 0, math.sqrt(6 / math.prod(shape[1:])) / divisor)
        if framework == "keras":
            found[f"{convolution}kernel"] = weights.transpose(2, 3, 1, 0)
            found[f"{convolution}bias"] = values(layer, BIAS, shape[:1], 0, 0.1)
        else:
            found[f"{convolution}weight"] = weights
        gamma = (0.2, 0.1) if part == "expand" else (1, 0.2)
        statistics = [(GAMMA, *gamma), (BETA, 0, 0.1), (MEAN, 0, 0.1), (VARIANCE, 1, 0.5)]
        for name, (kind, centre, spread) in zip(NORMS[framework], statistics, strict=True):
            found[f"{norm}{name}"] = values(layer, kind, shape[:1], centre, spread)
    classifier = values(layer + 1, WEIGHTS, (CLASSES, FEATURES), 0, math.sqrt(3 / FEATURES))
    bias = values(layer + 1, BIAS, (CLASSES,), 0, 0.1)
    if framework == "keras":
        return found | {"predictions/kernel": classifier.T, "predictions/bias": bias}
    return found | {"fc.weight": classifier, "fc.bias": bias}


def digest(found):
    """That of all values (see pictures.py), through the tensors in the byte order of their names."""
    total, place = 0, 0
    for name in sorted(found):
        total += pictures.digest(found[name], place)
        place += found[name].size
    return total % 2**64
