"""Pictures that a formula draws, and the numbers that are kept of a network's outputs; used by the scripts of the networks.

lite0/README.md describes both.
"""

import json
import re

import numpy


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


FORMULAS = {"noise": noise, "tiles": tiles, "gradient": gradient}


def picture(name, height, width):
    """The picture of that name, u8 [height, width, 3]; the formula is what stands before the first underscore."""
    y, x, c = numpy.indices((height, width, 3))
    return FORMULAS[name.split("_")[0]](y, x, c, height, width).astype(numpy.uint8)


def described(name, pixels):
    """The beginning of a case in expected.json: the picture, and what tells whether it was drawn right."""
    height, width, _ = pixels.shape
    return {
        "name": name,
        "height": height,
        "width": width,
        "pixel_sum": int(pixels.sum()),
        "first_pixels": pixels.reshape(-1)[:12].tolist(),
    }


def digest(values, start=0):
    """A number that changes with any bit of u8 or f32 values: the sum of splitmix64(place · 2^32 + the value's bits), modulo
    2^64, places counted from `start`."""
    flat = numpy.ascontiguousarray(values).reshape(-1)
    bits = flat.view(numpy.uint32 if flat.dtype == numpy.float32 else flat.dtype).astype(numpy.uint64)
    places = numpy.arange(start, start + bits.size, dtype=numpy.uint64)
    return int(splitmix64((places << numpy.uint64(32)) + bits).sum(dtype=numpy.uint64))


def short(values):
    """Nine significant digits, which tell any two f32 apart."""
    return [float(f"{value:.9g}") for value in numpy.asarray(values).reshape(-1)]


def stage(name, output):
    """What is kept of a stage's output [height, width, channels]."""
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
    """The ten largest, largest first, with their classes."""
    indices = numpy.argsort(-logits, kind="stable")[:10]
    return {"indices": indices.tolist(), "logits": short(logits[indices])}


def write(path, content):
    """JSON with each list of numbers on one line."""
    text = json.dumps(content, indent=1, sort_keys=True)
    path.write_text(re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found.group().split()), text) + "\n")
