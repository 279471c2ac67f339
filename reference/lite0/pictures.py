"""Pictures that a formula draws, as README.md beside this file defines them: the same in Python and in Rust."""

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


FORMULAS = {formula.__name__: formula for formula in (noise, tiles, gradient)}


def picture(name, height, width):
    """u8 [height, width, 3]; the name is the formula's, with whatever follows a `_`."""
    y, x, c = numpy.indices((height, width, 3))
    return FORMULAS[name.split("_")[0]](y, x, c, height, width).astype(numpy.uint8)
