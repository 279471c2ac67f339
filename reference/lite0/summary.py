"""What is kept of a network's outputs: the case of a picture, as README.md beside this file defines it."""

import json
import re

import numpy
import torch


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


def short(values):
    """Nine significant digits, which tell any two f32 apart."""
    return [float(f"{value:.9g}") for value in numpy.asarray(values).reshape(-1)]


def summary(name, output):
    height, width, _ = output.shape
    return {
        "stage": name,
        "shape": list(output.shape),
        "mean": short(output.mean())[0],
        "mean_magnitude": short(numpy.abs(output).mean())[0],
        "first": short(output[0, 0, :8]),
        "middle": short(output[height // 2, width // 2, :8]),
        "last": short(output[height - 1, width - 1, :8]),
    }


def top(logits):
    """The ten largest of [1, classes]."""
    logits = logits[0].numpy()
    indices = numpy.argsort(-logits, kind="stable")[:10]
    return {"indices": indices.tolist(), "logits": short(logits[indices])}


def case(name, pixels, weights, model, inputs, logits):
    """The picture, the outputs of all stages with these weights, and the largest logits."""
    height, width, _ = pixels.shape
    return {
        "name": name,
        "weights": weights,
        "height": height,
        "width": width,
        "pixel_sum": int(pixels.sum()),
        "first_pixels": pixels.reshape(-1)[:12].tolist(),
        "stages": [summary(*stage) for stage in stages(model, inputs).items()],
        "top": top(logits),
    }


def write(path, cases):
    text = json.dumps({"cases": cases}, indent=1, sort_keys=True)
    lists_on_one_line = re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found.group().split()), text)
    path.write_text(lists_on_one_line + "\n")
