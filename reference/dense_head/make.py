"""Writes dense_head.json: gradients by PyTorch, Adam steps by Keras and PyTorch, Keras' callbacks on given losses.

Run in this folder: python make.py   (numpy, torch 2.15, keras 3.15 on TensorFlow)
"""

import json
import os
import subprocess
import sys

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
# PyTorch and TensorFlow bring two copies of LLVM that cannot share a process, so PyTorch's part runs in its own.
IS_TORCH = sys.argv[1:] == ["torch"]
if IS_TORCH:
    import torch
else:
    import keras

rng = np.random.default_rng(20261123)


def plain(array, digits=6):
    return [round(float(value), digits) for value in np.asarray(array).ravel()]


def gradients(classes, class_weights):
    """Loss (sum of weight * loss / n) and its gradients in float64 at given weights."""
    sizes = [6, 5, 4, 1 if classes == 2 else classes]
    n = 7
    features = np.round(rng.normal(0, 1, (n, sizes[0])), 3)
    labels = np.arange(n) % classes
    layers = [
        (np.round(rng.normal(0, 0.7, (units, inputs)), 3), np.round(rng.normal(0, 0.3, units), 3))
        for inputs, units in zip(sizes, sizes[1:])
    ]
    tensors = [tuple(torch.tensor(part, requires_grad=True) for part in layer) for layer in layers]
    x = torch.tensor(features)
    for index, (weight, bias) in enumerate(tensors):
        x = x @ weight.T + bias
        if index + 1 < len(tensors):
            x = torch.relu(x)
    target = torch.tensor(labels)
    if classes == 2:
        losses = torch.nn.functional.binary_cross_entropy_with_logits(x[:, 0], target.double(), reduction="none")
    else:
        losses = torch.nn.functional.cross_entropy(x, target, reduction="none")
    loss = (losses * torch.tensor(class_weights)[target]).sum() / n
    loss.backward()
    return {
        "classes": classes,
        "class_weights": class_weights,
        "width": sizes[0],
        "features": plain(features),
        "labels": labels.tolist(),
        "layers": [{"weight": plain(w), "bias": plain(b)} for w, b in layers],
        "loss": float(loss.detach()),
        "gradients": [{"weight": plain(w.grad, 9), "bias": plain(b.grad, 9)} for w, b in tensors],
    }


def adam_inputs():
    """Gradients of many sizes, down to where epsilon matters; the rate drops after the fifth step."""
    rng = np.random.default_rng(7)
    start = np.round(rng.normal(0, 1, 12), 3).astype(np.float32)
    scale = 10.0 ** rng.integers(-9, 2, 12)
    steps = [(rng.normal(0, 1, 12) * scale).astype(np.float32) for _ in range(10)]
    return start, steps, [0.01] * 5 + [0.002] * 5


def adam_keras():
    start, steps, rates = adam_inputs()
    variable = keras.Variable(start)
    optimizer = keras.optimizers.Adam(learning_rate=rates[0])
    values = []
    for rate, gradient in zip(rates, steps):
        optimizer.learning_rate = rate
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        values.append(plain(keras.ops.convert_to_numpy(variable), 8))
    return values


def adam_torch():
    start, steps, rates = adam_inputs()
    parameter = torch.nn.Parameter(torch.tensor(start.copy()))
    optimizer = torch.optim.Adam([parameter], lr=rates[0])
    values = []
    for rate, gradient in zip(rates, steps):
        optimizer.param_groups[0]["lr"] = rate
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        values.append(plain(parameter.detach().numpy(), 8))
    return values


class Weights:
    """Stands in for a model: what the callbacks ask of one."""

    def __init__(self):
        self.optimizer = keras.optimizers.Adam(learning_rate=0.001)
        self.stop_training = False
        self.epoch = -1

    def get_weights(self):
        return [self.epoch]

    def set_weights(self, weights):
        self.epoch = weights[0]


def callbacks():
    curve = lambda values: [round(float(value), 6) for value in values]
    sequences = {
        "falls": curve(np.linspace(1, 0.1, 12)),
        "rises": curve(np.linspace(0.1, 1, 12)),
        "flat": [0.5] * 12,
        "falls by less than min_delta": curve(0.5 - 0.00005 * np.arange(14)),
        "noise": curve(0.5 + rng.normal(0, 0.05, 30)),
        "falls, then noise": curve(np.concatenate([np.linspace(1, 0.3, 8), 0.3 + rng.normal(0, 0.03, 22)])),
        "falls by exactly min_delta": curve(0.5 - 0.01 * np.arange(12)),
    }
    cases = []
    for name, losses in sequences.items():
        for patience, min_delta, factor, cooldown, min_rate in [
            (0, 0.0, 0.5, 0, 0.0), (1, 0.0, 0.1, 0, 1e-5), (2, 1e-4, 0.5, 2, 0.0), (3, 0.01, 0.3, 1, 2e-4), (5, 1e-3, 0.1, 3, 0.0),
        ]:
            stopping = keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=patience, min_delta=min_delta, restore_best_weights=True, mode="min"
            )
            model = Weights()
            stopping.set_model(model)
            stopping.on_train_begin()
            stopped = len(losses)
            for epoch, loss in enumerate(losses):
                model.epoch = epoch
                stopping.on_epoch_end(epoch, {"val_loss": loss})
                if model.stop_training:
                    stopped = epoch + 1
                    break
            stopping.on_train_end()
            plateau = keras.callbacks.ReduceLROnPlateau(
                monitor="val_loss", mode="min", factor=factor, patience=patience, min_delta=min_delta,
                cooldown=cooldown, min_lr=min_rate,
            )
            rated = Weights()
            plateau.set_model(rated)
            plateau.on_train_begin()
            rates = []
            for epoch, loss in enumerate(losses):
                plateau.on_epoch_end(epoch, {"val_loss": loss})
                rates.append(float(f"{float(keras.ops.convert_to_numpy(rated.optimizer.learning_rate)):.9g}"))
            cases.append({
                "name": name, "losses": losses, "patience": patience, "min_delta": min_delta, "factor": factor,
                "cooldown": cooldown, "min_rate": min_rate, "stopped": stopped, "best": model.epoch + 1, "rates": rates,
            })
    return cases


def whole_training(classes):
    """Five epochs of Keras' own fit, batches in the order of the rows: losses, rates and final probabilities."""
    rng = np.random.default_rng(11 + classes)
    n, held_out, width, units = 90, 30, 8, [10, 6]
    labels = np.arange(n + held_out) % classes
    centres = rng.normal(0, 0.7, (classes, width))
    features = np.round(centres[labels] + rng.normal(0, 0.9, (n + held_out, width)), 3).astype(np.float32)
    outputs = 1 if classes == 2 else classes
    sizes = [width, *units, outputs]
    layers = [
        (np.round(rng.normal(0, (2 / inputs) ** 0.5, (count, inputs)), 3).astype(np.float32), np.zeros(count, np.float32))
        for inputs, count in zip(sizes, sizes[1:])
    ]
    stack = [keras.layers.Dense(count, activation="relu") for count in units]
    model = keras.Sequential(
        [keras.Input((width,)), *stack, keras.layers.Dense(outputs, activation="sigmoid" if classes == 2 else "softmax")]
    )
    model.set_weights([part for weight, bias in layers for part in (weight.T, bias)])
    loss = "binary_crossentropy" if classes == 2 else "sparse_categorical_crossentropy"
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss, metrics=["accuracy"])
    history = model.fit(
        features[:n], labels[:n], batch_size=16, epochs=5, shuffle=False, verbose=0,
        validation_data=(features[n:], labels[n:]),
    ).history
    return {
        "classes": classes,
        "width": width,
        "features": plain(features),
        "labels": labels.tolist(),
        "training": n,
        "layers": [{"weight": plain(w), "bias": plain(b)} for w, b in layers],
        "losses": plain(history["loss"], 8),
        "accuracies": plain(history["accuracy"], 8),
        "val_losses": plain(history["val_loss"], 8),
        "val_accuracies": plain(history["val_accuracy"], 8),
        "probabilities": plain(model.predict(features[n:], verbose=0), 8),
    }


if IS_TORCH:
    cases = [gradients(2, [1.0, 1.0]), gradients(2, [0.5, 2.0]), gradients(4, [1.0, 1.0, 1.0, 1.0])]
    print(json.dumps({"version": torch.__version__, "gradients": cases, "adam": adam_torch()}))
    sys.exit()

by_torch = json.loads(subprocess.run([sys.executable, __file__, "torch"], check=True, capture_output=True).stdout)
start, steps, rates = adam_inputs()
record = {
    "versions": {"keras": keras.__version__, "torch": by_torch["version"]},
    "gradients": by_torch["gradients"],
    "adam": {
        "start": plain(start),
        "rates": rates,
        "gradients": [[float(value) for value in step] for step in steps],
        "keras": adam_keras(),
        "pytorch": by_torch["adam"],
    },
    "callbacks": callbacks(),
    "trainings": [whole_training(2), whole_training(3)],
}
with open("dense_head.json", "w") as file:
    json.dump(record, file, separators=(",", ":"))
    file.write("\n")
