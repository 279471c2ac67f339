"""Holds topwork's f32 network against the original PyTorch package on 1,000 photos, from the repository's root:

    python reference/lite0/compare.py                         # builds and runs topwork's example features_from_pixels
    python reference/lite0/compare.py --network lite2          # EfficientNet-Lite2, with the published checkpoint in both
    python reference/lite0/compare.py --program "PROGRAM …"    # any program that speaks the same protocol
    python reference/lite0/compare.py --stand-in stored        # PyTorch itself instead, to see what storing the weights alone does

Pillow decodes and resizes each photo as the weights want it, and both networks get the same u8 pixels. The program reads
photos from standard input (height x width x 3 bytes each, rows of R, G, B) until its end, and writes for each 1,280
features and 1,000 logits, f32, little-endian, to standard output. Exit status 1 unless every photo's features agree to a
cosine of .9999 and the largest logit is the same class on 999 of 1,000.

Photos: ../shared/data/cats-and-dogs/test_set, or --photos FOLDER (every .jpg below it).
"""

import argparse
import math
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import torch
from PIL import Image, ImageOps

import original

LEAST_COSINE = 0.9999
LEAST_EQUAL_SHARE = 0.999
FEATURES, CLASSES = 1280, 1000
FOLDER = original.REPOSITORY / "../shared/data/cats-and-dogs/test_set"
PROGRAM = "cargo run --quiet --release -p topwork --example features_from_pixels f32"
NETWORKS = {"lite0": original.LITE0, "lite2": original.LITE2}


def pixels(path, lite):
    """One photo: the shorter side resized, bicubic, the longer side rounded, centre crop."""
    side = lite.shorter_side
    with Image.open(path) as file:
        photo = ImageOps.exif_transpose(file).convert("RGB")
    shorter = min(photo.size)
    width, height = (side if length == shorter else round(length * side / shorter) for length in photo.size)
    photo = photo.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - lite.input) // 2, (height - lite.input) // 2
    return numpy.asarray(photo.crop((left, top, left + lite.input, top + lite.input)))


def outputs_of_pytorch(lite, weights, photos):
    """[n, 1280 + 1000] from the package's network, as it is when it is built with its own defaults."""
    model = lite.network(weights, image_size=lite.input)
    parts = []
    for start in range(0, len(photos), 50):
        inputs = original.tensor(photos[start : start + 50], torch.float32)
        parts.append(torch.cat(original.features_and_logits(model, inputs), dim=1).numpy())
    return numpy.concatenate(parts)


def outputs_of_program(command, photos):
    """The same from a program, by the protocol above."""
    with tempfile.TemporaryFile() as given:
        given.write(photos.tobytes())
        given.seek(0)
        run = subprocess.run(shlex.split(command), stdin=given, stdout=subprocess.PIPE, cwd=original.REPOSITORY)
    if run.returncode != 0:
        sys.exit(f"{command}: exit status {run.returncode}")
    expected = len(photos) * (FEATURES + CLASSES) * 4
    if len(run.stdout) != expected:
        sys.exit(f"{command}: wrote {len(run.stdout)} bytes, expected {expected}")
    return numpy.frombuffer(run.stdout, "<f4").reshape(len(photos), FEATURES + CLASSES)


def agreement(title, found, expected):
    """Prints one line of figures; returns whether they suffice."""
    a, b = found[:, :FEATURES].astype(float), expected[:, :FEATURES].astype(float)
    cosines = (a * b).sum(1) / numpy.sqrt((a * a).sum(1) * (b * b).sum(1))
    equal = int((found[:, FEATURES:].argmax(1) == expected[:, FEATURES:].argmax(1)).sum())
    print(
        f"{title}: n = {len(found)}, cosine min {cosines.min():.7f} mean {cosines.mean():.7f}, "
        f"top-1 equal {equal}, largest difference of a feature {numpy.abs(a - b).max():.2g}, "
        f"of a logit {numpy.abs(found[:, FEATURES:] - expected[:, FEATURES:]).max():.2g}"
    )
    # Written so that a NaN fails.
    return bool((cosines >= LEAST_COSINE).all()) and equal >= math.ceil(LEAST_EQUAL_SHARE * len(found))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=NETWORKS, default="lite0")
    parser.add_argument("--photos", type=Path, default=FOLDER)
    parser.add_argument("--limit", type=int, help="only the first N photos")
    parser.add_argument("--program", help=f"instead of {PROGRAM!r}")
    parser.add_argument("--stand-in", choices=["stored", "original"], help="PyTorch with these weights, no program")
    chosen = parser.parse_args()
    lite = NETWORKS[chosen.network]
    if chosen.stand_in == "stored" and lite is not original.LITE0:
        parser.error("only Lite0's weights are stored in topwork")

    paths = sorted(path for path in chosen.photos.rglob("*.jpg") if path.is_file())[: chosen.limit]
    if not paths:
        sys.exit(f"{os.path.relpath(chosen.photos)}: no photos")
    photos = numpy.stack([pixels(path, lite) for path in paths])

    expected = outputs_of_pytorch(lite, lite.weights(), photos)
    if lite is original.LITE0:
        rounded = outputs_of_pytorch(lite, original.stored_weights(), photos)
        sufficient = agreement("PyTorch, stored weights / PyTorch, original weights", rounded, expected)
    if chosen.stand_in is None:
        # Lite0's are in the program.
        file = [] if lite is original.LITE0 else [lite.row, str(lite.checkpoint())]
        found = outputs_of_program(chosen.program or shlex.join([*shlex.split(PROGRAM), *file]), photos)
        if lite is original.LITE0:
            agreement("the program / PyTorch, stored weights", found, rounded)
        sufficient = agreement("the program / PyTorch, original weights", found, expected)
    elif chosen.stand_in == "original":
        sufficient = agreement("PyTorch / itself", expected, expected)
    print("sufficient" if sufficient else f"NOT sufficient: needs {LEAST_COSINE} everywhere, top-1 on {LEAST_EQUAL_SHARE:.1%}")
    sys.exit(0 if sufficient else 1)


if __name__ == "__main__":
    main()
