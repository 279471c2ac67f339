"""Which layer in the middle of a network helps a linear head most, beside the last one?

    cargo build --release -p topwork --examples
    pip install numpy
    python measurements/taps.py                                             Lite0, whose weights are in the program
    python measurements/taps.py --backbone efficientnet_lite2 --weights FILE
    python measurements/taps.py --backbone resnet50_torchvision --weights FILE

For each set in ../shared/data, at most 1,000 of its training photos (every k-th), and for each candidate layer: topwork chooses C and
the weight of the layer by cross-validation on these photos. Printed is how much of the held-out log loss of the last layer alone,
with its own best C, the layer saves with weight 1 and its own best C, and whether the margin (two standard errors) was passed (*). No test
photo is looked at. The layer with the largest mean saving becomes the backbone's `tap` in `crates/topwork/src/backbone/mod.rs`.
"""

import argparse
import csv
import json
import re
import struct
import subprocess
from pathlib import Path

import numpy

PROJECT = Path(__file__).resolve().parent.parent
DATA = PROJECT.parent / "shared" / "data"
BINARIES = PROJECT / "target" / "release" / "examples"
MOST = 1000
CANDIDATES = {
    "efficientnet_lite0": [f"_blocks.{block}._depthwise_conv" for block in range(5, 15)],
    "efficientnet_lite2": [f"_blocks.{block}._depthwise_conv" for block in range(7, 21)],
    "resnet50": ["stage1.block3.expand", "stage2.block4.expand", "stage3.block3.expand", "stage3.block6.expand"],
}


def training_photos():
    """Name of the set -> paths and labels of its training photos."""
    sets = {}
    for name, folder in [
        ("cats and dogs", "cats-and-dogs/training_set"),
        ("digits", "handwritten-digits/train"),
        ("cifar", "cifar/train"),
    ]:
        photos = sorted(path for path in (DATA / folder).glob("*/*") if path.is_file())
        sets[name] = [(path, path.parent.name) for path in photos]
    for name, folder in [("hands", "sign-digits"), ("cat breeds", "cat-breeds")]:
        with open(DATA / folder / "labels.csv", newline="") as table:
            sets[name] = [(DATA / folder / row["filename"], row["label"]) for row in csv.DictReader(table)]
    return {name: photos[:: -(-len(photos) // MOST)] for name, photos in sets.items()}


def averages(backbone, weights, layers, paths):
    command = [BINARIES / "layer_averages", backbone, weights, *layers]
    lines = "\n".join(str(path) for path in paths).encode()
    out = subprocess.run(command, input=lines, stdout=subprocess.PIPE, check=True).stdout
    return numpy.frombuffer(out, "<f4").reshape(len(paths), -1)


def choice(last, middle, labels, classes):
    """What topwork chose, with the features as sums of two bytes."""
    factors = [max(float(part.max()), 1e-9) / 65535 for part in (last, middle)]
    parts = (last, middle)
    sums = numpy.concatenate([numpy.rint(part / factor) for part, factor in zip(parts, factors)], axis=1)
    header = struct.pack("<6I2f", len(labels), 0, last.shape[1], middle.shape[1], classes, 2, *factors)
    given = header + sums.astype("<u2").tobytes() + labels.astype("<u4").tobytes()
    out = subprocess.run([BINARIES / "train_head", "auto", "42"], input=given, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out.split(b"\n")[0])["choice"]


def saving(found):
    """The share of the last layer's log loss that the whole layer saves, on the photos that both have met, and the margin."""
    best = {}
    for trial in found["trials"]:
        known = best.get(trial["tap_weight"])
        if known is None or (-trial["photos"], trial["log_loss"]) < (-known["photos"], known["log_loss"]):
            best[trial["tap_weight"]] = trial
    gain = found["gain"]
    return gain["log_loss"] / best[0.0]["log_loss"], gain["log_loss"] > 2 * gain["standard_error"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    parser.add_argument("--weights", default="-")
    arguments = parser.parse_args()
    family = "resnet50" if arguments.backbone.startswith("resnet50") else arguments.backbone
    layers = CANDIDATES[family]
    table = {layer: [] for layer in layers}
    sets = training_photos()
    for name, photos in sets.items():
        paths, names = zip(*photos)
        classes = sorted(set(names))
        labels = numpy.array([classes.index(label) for label in names])
        values = {}
        rows = averages(arguments.backbone, arguments.weights, layers, paths)
        widths = widths_of(arguments.backbone, layers, rows.shape[1])
        last, at = rows[:, : widths[0]], widths[0]
        for layer, width in zip(layers, widths[1:]):
            values[layer], at = rows[:, at : at + width], at + width
        for layer in layers:
            table[layer].append(saving(choice(last, values[layer], labels, len(classes))))
    print(f"{arguments.backbone}: share of the held-out log loss saved, at most {MOST} training photos a set, seed 42")
    print(f"{'layer':<28}" + "".join(f"{name:>16}" for name in sets) + f"{'mean':>10}")
    for layer, found in table.items():
        cells = "".join(f"{100 * share:>14.1f} {'*' if passed else ' '}" for share, passed in found)
        print(f"{layer:<28}{cells}{100 * numpy.mean([share for share, _ in found]):>10.1f}")


def widths_of(backbone, layers, columns):
    """Channels of the last layer and of each candidate, as `topwork backbones --layers` prints them."""
    program = PROJECT / "target" / "release" / "topwork"
    out = subprocess.run([program, "backbones", "--layers", backbone], stdout=subprocess.PIPE, check=True, text=True).stdout
    channels = {}
    for line in out.splitlines():
        size = re.search(r"[\d,]+ x [\d,]+ x ([\d,]+)", line)
        if size:
            channels[line.split()[0]] = int(size[1].replace(",", ""))
    widths = [channels[layer] for layer in layers]
    return [columns - sum(widths), *widths]


if __name__ == "__main__":
    main()
