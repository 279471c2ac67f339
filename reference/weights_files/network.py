"""The sizes of the narrow ResNet, its weights and its picture, for Keras and for PyTorch."""

import numpy

STEM, STAGES, CLASSES = 8, [(2, 4), (1, 4), (1, 8), (1, 8)], 5
HEIGHT, WIDTH = 47, 61


def picture():
    y, x, c = numpy.mgrid[0:HEIGHT, 0:WIDTH, 0:3]
    return ((y * 7 + x * 13 + c * 29 + y * x) % 256).astype(numpy.uint8)


def short(values):
    """Values with few bits, which f16 and bf16 both hold: each file has the same weights, whatever its element type."""
    values = numpy.asarray(values, numpy.float32)
    bits = (values.view(numpy.uint32) + 0x8000) & numpy.uint32(0xFFFF0000)
    values = bits.view(numpy.float32)
    return numpy.where(numpy.abs(values) < 2.0**-14, numpy.float32(0), values)


def values(name, shape, generator):
    """He for kernels, variances .5 to 1.5, a block's last gamma at most .3."""
    if name in ("moving_variance", "running_var"):
        return short(generator.uniform(0.5, 1.5, shape))
    if name == "gamma":
        return short(generator.uniform(0.7, 1.3, shape))
    if name == "last gamma":
        return short(generator.uniform(0.1, 0.3, shape))
    if name == "kernel":
        fan_in = numpy.prod(shape) // shape[-1]
        return short(generator.normal(0, numpy.sqrt(2 / fan_in), shape))
    return short(generator.normal(0, 0.1, shape))
