"""Writes `cases.csv`: what Pillow's `Image.resize` makes of pictures drawn by a formula.

    python reference/resample/make.py

Each row: filter, source size, target size, crop, and the CRC-32 of the crop's RGB bytes. The picture is that of
`picture` in `crates/topwork-kernels/src/resample/tests.rs`; the sizes are those of photographs, small odd ones, lines
of one pixel, and extreme ratios.
"""

import csv
import pathlib
import random
import zlib

import numpy as np
import PIL
from PIL import Image

FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def picture(width, height, seed):
    index = np.arange(width * height * 3, dtype=np.uint64)
    state = (index + seed * 0x9E3779B9) & 0xFFFFFFFF
    state = ((state ^ (state >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    state = ((state ^ (state >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    noise = ((state ^ (state >> 16)) & 0xFF).astype(np.uint8)
    edges = (noise & 1) * 255
    values = np.where((index // 37) % 2 == 0, noise, edges).astype(np.uint8)
    return Image.fromarray(values.reshape(height, width, 3), "RGB")


def shorter(width, height, size):
    long = round(max(width, height) * size / min(width, height))
    return (size, long) if width <= height else (long, size)


def centre(target, crop):
    return ((target[0] - crop[0]) // 2, (target[1] - crop[1]) // 2, *crop)


def cases():
    for source in [(405, 361), (500, 374), (320, 499), (1050, 702), (640, 427), (256, 300), (224, 224), (200, 150)]:
        target = shorter(*source, 256)
        for name in FILTERS:
            yield name, source, target, centre(target, (224, 224))
    target = shorter(4000, 3000, 256)
    yield "bicubic", (4000, 3000), target, centre(target, (224, 224))
    for source in [(1, 1), (1, 70), (70, 1), (2, 3), (3, 2), (1, 2)]:
        for target in [(1, 1), (5, 7), (64, 33), (1, 40), (40, 1), (256, 256)]:
            for name in FILTERS:
                yield name, source, target, (0, 0, *target)
    for source, target in [((3000, 2), (2, 300)), ((2, 3000), (300, 2)), ((1999, 7), (3, 5)), ((7, 1), (999, 64))]:
        for name in FILTERS:
            yield name, source, target, (0, 0, *target)
    generator = random.Random(4)
    for _ in range(150):
        largest = generator.choice([4, 30, 300])
        source = (generator.randint(1, largest), generator.randint(1, largest))
        target = (generator.randint(1, 300), generator.randint(1, 300))
        left, top = generator.randrange(target[0]), generator.randrange(target[1])
        crop = (left, top, generator.randint(1, target[0] - left), generator.randint(1, target[1] - top))
        for name in FILTERS:
            yield name, source, target, crop


def main():
    path = pathlib.Path(__file__).parent / "cases.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["filter", "seed", "source", "target", "crop", "crc32"])
        for seed, (name, source, target, crop) in enumerate(cases()):
            whole = picture(*source, seed).resize(target, FILTERS[name])
            part = whole.crop((crop[0], crop[1], crop[0] + crop[2], crop[1] + crop[3]))
            sizes = [" ".join(map(str, sizes)) for sizes in (source, target, crop)]
            rows.writerow([name, seed, *sizes, f"{zlib.crc32(part.tobytes()):08x}"])
    print(f"{path.name}: by Pillow {PIL.__version__}")


if __name__ == "__main__":
    main()
