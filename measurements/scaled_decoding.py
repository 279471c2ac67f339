"""Makes the photos of several megapixels on which the scaled decoding of JPEGs is judged.

    python measurements/scaled_decoding.py make ../shared/data FOLDER
    cargo build --release -p topwork --example scaled_decoding
    find FOLDER -name '*.jpg' | sort | target/release/examples/scaled_decoding

No photo of the data is that large, so each is enlarged (Lanczos) to the size of a camera's, with a sensor's noise put on it
before it is stored: without noise a file would have a tenth of a real one's bytes. Two more groups are harder than
photos: mosaics of many photos, which have their finest detail at every place, and photos whose noise is strong. Deterministic.
"""

import argparse
import pathlib

import numpy as np
from PIL import Image

# Width, height, quality, sampling, progressive: what phones and cameras write, and sizes that blocks do not divide.
KINDS = [
    (4000, 3000, 90, "4:2:0", False),
    (4032, 3024, 92, "4:2:0", False),
    (3024, 4032, 90, "4:4:4", False),
    (4608, 2592, 90, "4:2:2", False),
    (4001, 3003, 90, "4:2:0", False),
    (4000, 3000, 90, "4:2:0", True),
    (3264, 2448, 95, "4:2:2", False),
    (2591, 1943, 90, "4:4:4", True),
    (2050, 1538, 90, "4:2:0", False),
    (6000, 4000, 85, "4:2:0", False),
    (1600, 1200, 90, "4:2:0", False),
    (1031, 1029, 90, "4:2:0", False),
]
NOISE = {"photo": 5.0, "noisy": 25.0}


def sources(data):
    folders = [data / "cats-and-dogs/training_set/cats", data / "cats-and-dogs/training_set/dogs", data / "cat-breeds/photos"]
    return [sorted(folder.glob("*.jpg")) for folder in folders]


def enlarged(path, size, generator, sigma):
    photo = Image.open(path).convert("RGB")
    if (photo.width > photo.height) != (size[0] > size[1]):
        photo = photo.transpose(Image.Transpose.ROTATE_90)
    large = np.asarray(photo.resize(size, Image.Resampling.LANCZOS), dtype=np.float32)
    # The noise of a sensor is in the brightness first; demosaicing makes it a little wider than a pixel.
    grain = generator.standard_normal((size[1], size[0], 1), dtype=np.float32)
    grain = (grain + np.roll(grain, 1, 0) + np.roll(grain, 1, 1)) / np.float32(3**0.5)
    return Image.fromarray((large + sigma * grain + 0.5).clip(0, 255).astype(np.uint8))


def mosaic(paths, size, start):
    large = Image.new("RGB", size)
    tiles = iter(range(start, start + 10_000))
    for top in range(0, size[1], 300):
        for left in range(0, size[0], 300):
            tile = Image.open(paths[next(tiles) % len(paths)]).convert("RGB")
            large.paste(tile.resize((300, 300), Image.Resampling.LANCZOS), (left, top))
    return large


def make(data, folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    groups = sources(data)
    for index in range(count):
        paths = groups[index % len(groups)]
        width, height, quality, sampling, progressive = KINDS[index % len(KINDS)]
        generator = np.random.default_rng(index)
        group = "mosaic" if index % 10 == 9 else "noisy" if index % 10 == 4 else "photo"
        if group == "mosaic":
            photo = mosaic(paths, (width, height), 37 * index)
        else:
            photo = enlarged(paths[(index * 17) % len(paths)], (width, height), generator, NOISE[group])
        name = f"{group}-{index:03}-{width}x{height}-{sampling.replace(':', '')}{'-progressive' * progressive}.jpg"
        photo.save(folder / name, quality=quality, subsampling=sampling, progressive=progressive)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["make"])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=120)
    arguments = parser.parse_args()
    make(arguments.data, arguments.folder, arguments.count)


if __name__ == "__main__":
    main()
