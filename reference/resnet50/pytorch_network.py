"""`torchvision.models.resnet50` with the formula's weights. Used by make.py and measurements/resnet50.py."""

import numpy
import torch
import torchvision

STAGES = {
    "relu": "stem",
    "maxpool": "pool",
    "layer1": "stage 1",
    "layer2": "stage 2",
    "layer3": "stage 3",
    "layer4": "stage 4",
}
# `torchvision/transforms/_presets.py`.
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def network(tensors, size=(224, 224), floats="float32"):
    """In evaluation mode, for pictures of any size; its logits are those of 224 x 224 only in `outputs`."""
    model = torchvision.models.resnet50(weights=None)
    state = {name: torch.from_numpy(values.copy()) for name, values in tensors.items()}
    counts = {name: torch.tensor(0) for name in model.state_dict() if name.endswith("num_batches_tracked")}
    model.load_state_dict(state | counts, strict=True)
    return model.eval().to(getattr(torch, floats))


def outputs(model, pixels):
    """Stages [n, height, width, channels] by name, features, and logits for 224 x 224, for u8 [n, height, width, 3]."""
    inputs = torch.from_numpy(numpy.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).to(model.fc.weight.dtype) / 255
    inputs = torchvision.transforms.functional.normalize(inputs, MEAN, DEVIATION)
    stages, features = {}, []

    def keep(name):
        return lambda module, given, output: stages.update({name: output.permute(0, 2, 3, 1).numpy().copy()})

    hooks = [model.get_submodule(module).register_forward_hook(keep(name)) for module, name in STAGES.items()]
    hooks.append(model.avgpool.register_forward_hook(lambda module, given, output: features.append(output.flatten(1))))
    with torch.no_grad():
        logits = model(inputs)
    for hook in hooks:
        hook.remove()
    return stages, features[0].numpy(), logits.numpy() if pixels.shape[1:3] == (224, 224) else None
