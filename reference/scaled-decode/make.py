"""Writes small JPEGs and what they are when decoded to an eighth and a quarter of their size: `photos/`, `expected/`, `cases.csv`.

    python reference/scaled-decode/make.py

The files come from the writer of `reference/decode/make.py`, so the samples that they hold are known without a decoder. From
there on it is the definition in f64: the cosine transform of each 8 x 8 block, of which as many of the lowest coefficients are
kept as it is to have samples, transformed back with that many. A component that is sampled more coarsely keeps so many more.
"""

import csv
import importlib.util
import pathlib

import numpy as np
from PIL import Image
from scipy.fft import dctn, idctn

HERE = pathlib.Path(__file__).parent
# The coefficients and the samples are rounded to whole numbers.
TOLERANCE = 3
ONE = [(1, 1)] * 2
SAMPLINGS = {
    "grey": [(1, 1)], "444": [(1, 1)] + ONE, "422": [(2, 1)] + ONE, "420": [(2, 2)] + ONE,
    "440": [(1, 2)] + ONE, "411": [(4, 1)] + ONE, "1x3": [(1, 3)] + ONE, "4x2": [(4, 2)] + ONE,
    "uneven": [(2, 2), (2, 1), (1, 2)], "blue-only": [(2, 2), (1, 1), (2, 2)],
}


def module(path):
    specification = importlib.util.spec_from_file_location("decode_make", path)
    loaded = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(loaded)
    return loaded


def scene(width, height):
    """Brightness and colours in waves, some finer than the small sizes can show, so that each block differs."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    luma = 128 + 50 * np.sin(x / 5 + y / 11) + 25 * np.cos(x * 1.3) + 15 * np.sin(y * 1.1)
    blue = 128 + 30 * np.sin((x + 2 * y) / 13) + 10 * np.cos(x * 0.7)
    red = 128 + 30 * np.cos((2 * x - y) / 17) + 10 * np.sin(y * 0.8)
    return [np.clip(np.round(plane), 0, 255).astype(np.uint8) for plane in (luma, blue, red)]


def sampled(planes, size, samplings):
    """The samples that the writer puts into the file, of whole units."""
    (width, height), small = size, []
    most = [max(sampling[axis] for sampling in samplings) for axis in (0, 1)]
    across, down = -(-width // (8 * most[0])), -(-height // (8 * most[1]))
    for plane, (h, v) in zip(planes, samplings):
        y, x = np.mgrid[0:down * v * 8, 0:across * h * 8]
        small.append(plane[np.minimum(y * most[1] // v, height - 1), np.minimum(x * most[0] // h, width - 1)])
    return small, most


def shrunk(plane, across, down):
    """Each 8 x 8 samples become `across` x `down`."""
    height, width = plane.shape
    blocks = plane.reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2).astype(np.float64) - 128
    # The writer orders the coefficients so that each block comes out transposed.
    blocks = blocks.swapaxes(2, 3)
    kept = np.round(dctn(blocks, axes=(2, 3), norm="ortho"))[:, :, :down, :across]
    small = idctn(kept, axes=(2, 3), norm="ortho") * np.sqrt(across * down) / 8
    return np.clip(np.round(small.swapaxes(1, 2).reshape(height // 8 * down, width // 8 * across) + 128), 0, 255)


def samples_of_a_block(size, coarser):
    """As many as the coarser sampling asks for, in powers of two up to four; and how often each of them then stands."""
    kept = size
    while kept < 4 and (size * coarser) % (2 * kept) == 0 and kept * 2 <= size * coarser:
        kept *= 2
    return kept, size * coarser // kept


def decoded(planes, size, samplings, pixels_of_8):
    small, most = sampled(planes, size, samplings)
    whole = []
    for plane, (h, v) in zip(small, samplings):
        across, repeated_across = samples_of_a_block(pixels_of_8, most[0] // h)
        down, repeated_down = samples_of_a_block(pixels_of_8, most[1] // v)
        whole.append(shrunk(plane, across, down).repeat(repeated_down, 0).repeat(repeated_across, 1))
    width, height = (-(-side * pixels_of_8 // 8) for side in size)
    whole = [plane[:height, :width] for plane in whole]
    if len(whole) == 1:
        return np.stack(whole * 3, -1).astype(np.uint8)
    luma, blue, red = whole[0], whole[1] - 128, whole[2] - 128
    pixels = np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], -1)
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)


def main():
    written = module(HERE.parent / "decode/make.py").written
    for folder in ("photos", "expected"):
        (HERE / folder).mkdir(exist_ok=True)
    rows = []
    for name, samplings in SAMPLINGS.items():
        size = (75, 53)
        planes = scene(*size)[:len(samplings)]
        (HERE / "photos" / f"{name}.jpg").write_bytes(written(planes, size, samplings))
        for pixels_of_8 in (1, 2):
            pixels = decoded(planes, size, samplings, pixels_of_8)
            Image.fromarray(pixels).save(HERE / "expected" / f"{name}-{pixels_of_8}.png", optimize=True)
            rows.append([name, pixels_of_8, TOLERANCE])
    with open(HERE / "cases.csv", "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["name", "size", "tolerance"])
        table.writerows(rows)


if __name__ == "__main__":
    main()
