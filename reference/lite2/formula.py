"""Weights that a formula gives by a tensor's name and shape, as README.md beside this file defines them."""

import sys
from pathlib import Path

import numpy
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from pictures import splitmix64


def fnv1a(name):
    """The 64-bit FNV-1a hash of a name."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def limits(name, shape):
    """Between which two numbers the values of a tensor lie."""
    if len(shape) > 1:
        outputs = shape[-1] if name.endswith("kernel") else shape[0]
        bound = numpy.sqrt(6 / (numpy.prod(shape) // outputs))
        return -bound, bound
    match name.replace("/", ".").split(".")[-1]:
        case "running_var" | "moving_variance":
            return 0.5, 1.5
        case "weight" | "gamma":
            return 0.5, 1.0
        case _:
            return -0.2, 0.2


def tensor(name, shape):
    """f32 of that shape, the last axis fastest."""
    counter = numpy.arange(numpy.prod(shape), dtype=numpy.uint64) + numpy.uint64(fnv1a(name))
    share = (splitmix64(counter) >> numpy.uint64(40)) / 2**24
    low, high = limits(name, shape)
    return torch.from_numpy((low + (high - low) * share).astype(numpy.float32).reshape(shape))
