"""The notebook's dense head: seconds an epoch against PyTorch, alternating in one run.

    cargo build --release -p topwork --example dense_epochs
    python measurements/dense_head.py [--rounds 5] [--epochs 5] [--threads 2]

1,280 features -> 1024 -> 512 -> 256 -> 128 -> 1, ReLU between, Adam at .001, binary cross-entropy, 2,000 examples in
shuffled batches of 40, as if their features had been read from a cache. Both start from the same generated features:
two overlapping clouds. The peer is torch.nn.Sequential with whichever of PyTorch's three kinds of Adam is fastest here.
Start-up, reading and the first epoch, in which caches and pools fill, do not count. Prints the median of the seconds an
epoch of each, its range, peer / topwork round by round (above 1: topwork is faster), and the losses, which should fall
alike. Needs the packages of reference/requirements.txt.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

PROJECT = Path(__file__).resolve().parent.parent
PROGRAM = PROJECT / "target" / "release" / "examples" / "dense_epochs"
EXAMPLES, WIDTH, BATCH = 2000, 1280, 40


def examples():
    """Features as a network's average pool gives them: mostly small, none negative."""
    random = np.random.default_rng(0)
    labels = np.arange(EXAMPLES) % 2
    means = random.random((2, WIDTH)) * 0.1
    noise = random.random((EXAMPLES, WIDTH)) ** 2
    return (means[labels] + noise).astype("<f4"), labels


def glorot(layer):
    torch.nn.init.xavier_uniform_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    return layer


def peer(features, labels, epochs, adam):
    """The loss and the seconds of each epoch."""
    torch.manual_seed(0)
    layers, inputs = [], WIDTH
    for units in (1024, 512, 256, 128):
        layers += [glorot(torch.nn.Linear(inputs, units)), torch.nn.ReLU()]
        inputs = units
    model = torch.nn.Sequential(*layers, glorot(torch.nn.Linear(inputs, 1)))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, **adam)
    criterion = torch.nn.BCEWithLogitsLoss()
    outcome = []
    for _ in range(epochs):
        start, total = time.perf_counter(), 0.0
        for batch in torch.randperm(EXAMPLES).split(BATCH):
            optimiser.zero_grad()
            loss = criterion(model(features[batch]).squeeze(1), labels[batch])
            loss.backward()
            optimiser.step()
            total += loss.item() * len(batch)
        outcome.append((total / EXAMPLES, time.perf_counter() - start))
    return outcome


def topwork(file, epochs, threads):
    command = [PROGRAM, str(EXAMPLES), str(epochs), str(BATCH), str(threads)]
    with open(file, "rb") as source:
        output = subprocess.run(command, check=True, stdin=source, stdout=subprocess.PIPE, text=True).stdout
    return [tuple(map(float, line.split())) for line in output.splitlines()]


def seconds(outcome):
    return statistics.median(seconds for _, seconds in outcome[1:])


def summary(name, values, unit):
    print(f"{name:<16} median {statistics.median(values):.4f} {unit}  ({min(values):.4f} to {max(values):.4f})")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    features, labels = examples()
    tensors = torch.from_numpy(features), torch.from_numpy(labels.astype("f4"))
    kinds = {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}}
    trial = {name: seconds(peer(*tensors, 3, adam)) for name, adam in kinds.items()}
    fastest = min(trial, key=trial.get)
    print("PyTorch's Adam: " + ", ".join(f"{name} {value:.3f} s an epoch" for name, value in trial.items()))
    times, losses = {"topwork": [], "peer": []}, {}
    with tempfile.NamedTemporaryFile() as file:
        file.write(labels.astype("u1").tobytes() + features.tobytes())
        file.flush()
        for _ in range(arguments.rounds):
            for name, run in (
                ("topwork", lambda: topwork(file.name, arguments.epochs, arguments.threads)),
                ("peer", lambda: peer(*tensors, arguments.epochs, kinds[fastest])),
            ):
                outcome = run()
                times[name].append(seconds(outcome))
                losses[name] = [round(loss, 4) for loss, _ in outcome]
    for name, values in times.items():
        summary(name, values, "s an epoch")
    summary("peer / topwork", [peer / ours for ours, peer in zip(times["topwork"], times["peer"])], "")
    for name, values in losses.items():
        print(f"losses {name}: {values}")


if __name__ == "__main__":
    main()
