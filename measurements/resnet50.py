"""Holds topwork's ResNet-50 against Keras' and torchvision's on real photos, with the same weights; they need no download.

    python measurements/resnet50.py                 # 200 test photos, both frameworks; some ten minutes on two cores
    python measurements/resnet50.py --photos 20 --framework keras

The weights are those of reference/resnet50/formula.py. Each framework writes them in its own formats (100 MB each, in a temporary
folder), and topwork reads these files. Printed are, for the same u8 pixels, decoded and resized by the framework's own
preprocessing with Pillow: the largest relative difference of a photo's features and of a single feature, the largest difference
of a logit, and at how many of the first five places the classes are the same, where neighbouring logits differ by
more than 2e-3; for each file whether it gives the bits of the safetensors file; the cosine of the features that topwork makes from the
JPEG files by itself; and the cosine of int8's features with those of f32 for two ways to choose the ranges, on training photos.

With drawn weights the features of all photos point nearly the same way. Hence each cosine stands beside that of one photo's
features with the next one's, and is given a second time with the mean over the photos taken off.

Exit status 1 unless features agree to 1e-4, logits to 1e-3, the classes at all these places, and all files to the bit.
"""

import argparse
import importlib
import multiprocessing
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import safetensors.numpy

PROJECT = Path(__file__).resolve().parent.parent
DATA = PROJECT / "../shared/data/cats-and-dogs"
sys.path.insert(0, str(PROJECT / "reference/resnet50"))
import formula

FEATURES, CLASSES = formula.FEATURES, formula.CLASSES
NEAR = 2e-3
BATCH = 20
ROWS = {"keras": "resnet50", "pytorch": "resnet50_torchvision"}


def keras_pixels(path):
    import keras

    return numpy.asarray(keras.utils.load_img(path, target_size=(224, 224)))


def pytorch_pixels(path):
    """What `ResNet50_Weights.IMAGENET1K_V1.transforms()` does up to where bytes become numbers."""
    from PIL import Image
    from torchvision.transforms import functional

    with Image.open(path) as file:
        photo = functional.resize(file.convert("RGB"), [256], antialias=True)
    return numpy.asarray(functional.center_crop(photo, [224]))


def keras_files(model, folder):
    """Keras' formats; the files that it publishes for ResNet-50 have the layout of the first two."""
    import h5py
    import keras
    from keras.src.legacy.saving import legacy_h5_format

    with h5py.File(folder / "weights.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    with h5py.File(folder / "notop.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, keras.Model(model.input, model.layers[-1].input))
    model.save(folder / "model.h5")
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")


def pytorch_files(model, folder):
    import torch

    state = model.state_dict()
    torch.save(state, folder / "state.pth")
    torch.save(state, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    nested = {f"module.{name}": value for name, value in state.items()}
    torch.save({"epoch": 90, "state_dict": nested}, folder / "nested.pth.tar")


def reference(framework, paths, calibration, folder):
    """The framework's pixels and outputs of the photos, and its pixels for the calibration; writes its files into the folder."""
    networks = importlib.import_module(f"{framework}_network")
    prepare, write = (keras_pixels, keras_files) if framework == "keras" else (pytorch_pixels, pytorch_files)
    tensors = formula.tensors(framework)
    model = networks.network(tensors)
    contiguous = {name: numpy.ascontiguousarray(values) for name, values in tensors.items()}
    safetensors.numpy.save_file(contiguous, folder / "weights.safetensors")
    write(model, folder)
    pixels = numpy.stack([prepare(path) for path in paths])
    outputs = []
    for start in range(0, len(pixels), BATCH):
        _, features, logits = networks.outputs(model, pixels[start : start + BATCH])
        outputs.append(numpy.concatenate([features, logits], axis=1))
    return pixels, numpy.concatenate(outputs), numpy.stack([prepare(path) for path in calibration])


def topwork(example, given, *arguments):
    """What an example of topwork writes, and no reason; or nothing, and the reason why it refuses."""
    command = ["cargo", "run", "--quiet", "--release", "-p", "topwork", "--example", example, "--", *map(str, arguments)]
    run = subprocess.run(command, input=given, capture_output=True, cwd=PROJECT)
    if run.returncode != 0:
        return None, run.stderr.decode().strip().splitlines()[-1]
    return numpy.frombuffer(run.stdout, "<f4"), None


def required(found, reason):
    if found is None:
        sys.exit(reason)
    return found


def relative(found, expected):
    """Of each photo's features: the length of the difference as a share of theirs."""
    return numpy.linalg.norm(found - expected, axis=1) / numpy.linalg.norm(expected, axis=1)


def cosines(one, other):
    product = lambda a, b: (a.astype(float) * b.astype(float)).sum(1)
    found = product(one, other) / numpy.sqrt(product(one, one) * product(other, other))
    return f"min {found.min():.6f}, median {numpy.median(found):.6f}"


def both_cosines(found, expected):
    mean = expected.mean(0)
    return f"cosine {cosines(found, expected)}; without the mean {cosines(found - mean, expected - mean)}"


def places(found, expected):
    """At how many of the first five places, away from near ties, the classes are the same, and how many such places there are."""
    same = count = 0
    for one, other in zip(found, expected):
        ours, theirs = numpy.argsort(-one, kind="stable"), numpy.argsort(-other, kind="stable")
        clear = numpy.abs(numpy.diff(other[theirs[:6]])) > NEAR
        counted = [place for place in range(5) if clear[place] and (place == 0 or clear[place - 1])]
        count += len(counted)
        same += sum(ours[place] == theirs[place] for place in counted)
    return same, count


def compare(framework, paths, calibration, folder):
    row = ROWS[framework]
    # TensorFlow and PyTorch do not bear each other in one process.
    with multiprocessing.get_context("spawn").Pool(1) as process:
        pixels, expected, seen = process.apply(reference, [framework, paths, calibration, folder])
    print(f"\n{framework}, {len(paths)} photos, the same pixels")
    weights = folder / "weights.safetensors"
    found = required(*topwork("features_from_pixels", pixels.tobytes(), "f32", row, weights)).reshape(expected.shape)
    features, theirs = found[:, :FEATURES], expected[:, :FEATURES]
    shares = relative(features, theirs)
    single = (numpy.abs(features - theirs) / numpy.abs(theirs).mean(1, keepdims=True)).max()
    logits = numpy.abs(found[:, FEATURES:] - expected[:, FEATURES:]).max()
    same, count = places(found[:, FEATURES:], expected[:, FEATURES:])
    print(f"  features: difference as a share of their length: largest {shares.max():.1e}, median {numpy.median(shares):.1e};")
    print(f"    of a single one, as a share of the mean magnitude: largest {single:.1e}")
    print(f"  logits: largest difference {logits:.1e} (standard deviation {expected[:, FEATURES:].std():.1f})")
    print(f"  first five classes: the same at {same} of {count} places that are no near ties")
    sufficient = bool(shares.max() <= 1e-4 and single <= 1e-4 and logits <= 1e-3 and same == count)

    print("files")
    # Two photos are enough to tell: with any tensor another, some of their outputs are others.
    for file in sorted(folder.iterdir()):
        outputs, reason = topwork("features_from_pixels", pixels[:2].tobytes(), "f32", row, file)
        if outputs is None:
            sufficient = False
            print(f"  {file.name}: refused: {reason}")
            continue
        width = FEATURES if file.name == "notop.h5" else FEATURES + CLASSES
        equal = numpy.array_equal(outputs, found[:2, :width].reshape(-1))
        sufficient &= equal
        print(f"  {file.name}, {file.stat().st_size / 1e6:.1f} MB: {'the same bits' if equal else 'NOT the same'}")

    print("from the JPEG files")
    names = "".join(f"{path}\n" for path in paths).encode()
    own = required(*topwork("features_from_photos", names, "f32", row, weights)).reshape(theirs.shape)
    shares = relative(own, theirs)
    print(f"  difference as a share of their length: median {numpy.median(shares):.1e}, largest {shares.max():.1e};")
    print(f"    {both_cosines(own, theirs)}")
    print(f"  for comparison, a photo and the next: {both_cosines(numpy.roll(theirs, 1, axis=0), theirs)}")

    print(f"int8 against f32, ranges from {len(seen)} training photos")
    file = folder / "calibration"
    file.write_bytes(seen.tobytes())
    for method in ["min-max", "mean-squared-error"]:
        run = topwork("features_from_pixels", pixels.tobytes(), "int8", row, weights, file, method)
        on_bytes = required(*run).reshape(expected.shape)
        first = (on_bytes[:, FEATURES:].argmax(1) == found[:, FEATURES:].argmax(1)).sum()
        print(f"  {method}: {both_cosines(on_bytes[:, :FEATURES], features)}; first class as f32 on {first}")
    return sufficient


def evenly(folder, count):
    paths = sorted(folder.rglob("*.jpg"))
    if len(paths) < count:
        sys.exit(f"{folder}: {len(paths)} photos, expected {count}")
    return [paths[index * len(paths) // count].resolve() for index in range(count)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--calibration", type=int, default=96)
    parser.add_argument("--framework", choices=formula.FRAMEWORKS, action="append")
    chosen = parser.parse_args()
    paths, calibration = evenly(DATA / "test_set", chosen.photos), evenly(DATA / "training_set", chosen.calibration)
    sufficient = True
    for framework in chosen.framework or formula.FRAMEWORKS:
        with tempfile.TemporaryDirectory() as folder:
            sufficient &= compare(framework, paths, calibration, Path(folder))
    print("\nsufficient" if sufficient else "\nNOT sufficient")
    sys.exit(0 if sufficient else 1)


if __name__ == "__main__":
    main()
