"""Compares the pixels that topwork decodes with libjpeg-turbo's (through Pillow), photo by photo.

    cargo build --release -p topwork --example pixels_from_photos
    python reference/decode/compare.py ../shared/data [--limit N]

Prints the differences over all samples, and every photo that only one of the two decodes or that differs much.
"""

import argparse
import pathlib
import subprocess

import numpy as np
from PIL import Image, ImageOps

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "target/release/examples/pixels_from_photos"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--limit", type=int)
    arguments = parser.parse_args()
    Image.MAX_IMAGE_PIXELS = None
    paths = sorted(path for path in arguments.folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if arguments.limit:
        paths = paths[:: max(1, len(paths) // arguments.limit)]
    child = subprocess.Popen([EXAMPLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    counts = np.zeros(256, dtype=np.int64)
    verdicts, compared, microseconds = [], 0, 0
    for path in paths:
        child.stdin.write(bytes(path) + b"\n")
        child.stdin.flush()
        line = child.stdout.readline().decode().strip()
        ours = None
        if line[:1].isdigit():
            width, height, elapsed = map(int, line.split())
            ours = np.frombuffer(child.stdout.read(width * height * 3), np.uint8).reshape(height, width, 3)
            microseconds += elapsed
        try:
            image = ImageOps.exif_transpose(Image.open(path))
            theirs = np.asarray(image.convert("RGB"))
        except Exception as error:
            theirs, image = None, error
        if ours is None or theirs is None:
            verdicts.append(f"{path}: topwork {line if ours is None else 'decodes'}; Pillow {image}")
            continue
        if image.mode not in ("RGB", "L", "CMYK"):
            verdicts.append(f"{path}: mode {image.mode}, not compared")
            continue
        if ours.shape != theirs.shape:
            verdicts.append(f"{path}: {ours.shape} and {theirs.shape}")
            continue
        difference = np.abs(ours.astype(np.int16) - theirs)
        counts += np.bincount(difference.ravel(), minlength=256)
        compared += 1
        if difference.max() > 10 or difference.mean() > 0.5:
            verdicts.append(f"{path}: mean {difference.mean():.3f}, maximum {difference.max()}, mode {image.mode}")
    child.stdin.close()
    child.wait()
    total = counts.sum()
    print(f"{compared} of {len(paths)} photos compared, {microseconds / max(1, compared) / 1000:.3f} ms a photo")
    print(f"mean difference {(counts * np.arange(256)).sum() / total:.4f} levels")
    print(f"equal {counts[0] / total:.4%}, within 1 {counts[:2].sum() / total:.4%}, "
          f"within 3 {counts[:4].sum() / total:.5%}, largest {counts.nonzero()[0].max()}")
    print("\n".join(verdicts))


if __name__ == "__main__":
    main()
