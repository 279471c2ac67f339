"""topwork's accuracy beside scikit-learn's, on the same features, photos and C.

    python measurements/scikit_learn.py

Trains on the shared photos with the release build, reads which photo was used for what and which C was chosen, gets the
same photos' features from the example `features_from_photos`, fits scikit-learn's LogisticRegression on them and prints
both accuracies with n and Wilson's interval. Exits with 1 if they differ by more than the project allows.

Needs numpy and scikit-learn (reference/requirements.txt) and ../shared/data.
"""

import csv
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

PROJECT = Path(__file__).resolve().parent.parent
DATA = PROJECT.parent / "shared" / "data"
PROGRAM = PROJECT / "target" / "release" / "topwork"
FEATURES = PROJECT / "target" / "release" / "examples" / "features_from_photos"


def wilson(right, n, z=1.959963984540054):
    share = right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return middle - half, middle + half


def train(data, out, *options):
    subprocess.run([PROGRAM, "train", data, "--out", out, "--quiet", *options], check=True, stdout=subprocess.DEVNULL)
    run = json.loads((out / "run.json").read_text())
    with open(out / "split.csv", newline="", encoding="utf-8") as file:
        split = list(csv.DictReader(file))
    with open(out / "predictions.csv", newline="", encoding="utf-8") as file:
        predictions = {row["filename"]: row for row in csv.DictReader(file)}
    return run, split, predictions


def features(root, rows):
    """N x D, in the order of the rows, by topwork's own line."""
    paths = "".join(f"{root / row['filename']}\n" for row in rows)
    output = subprocess.run([FEATURES, "int8"], input=paths.encode(), stdout=subprocess.PIPE, check=True).stdout
    return np.frombuffer(output, "<f4").reshape(len(rows), -1).astype(np.float64)


def fit(x, y, strength):
    return LogisticRegression(C=strength, tol=1e-10, max_iter=100_000).fit(x, y)


def line(name, right, n, extra=""):
    low, high = wilson(right, n)
    print(f"  {name:<13} accuracy {right / n:.4f}  ({low:.4f} to {high:.4f}, n = {n:,})  {extra}")


def cats_and_dogs(folder):
    print("cats-and-dogs, default settings")
    root = DATA / "cats-and-dogs"
    run, split, predictions = train(root, folder / "cats-and-dogs")
    strength = run["settings"]["strength"]
    sets = {name: [row for row in split if row["set"] == name] for name in ("training", "test")}
    x = {name: features(root, rows) for name, rows in sets.items()}
    y = {name: np.array([row["label"] for row in rows]) for name, rows in sets.items()}
    model = fit(x["training"], y["training"], strength)
    probabilities = model.predict_proba(x["test"])
    n = len(y["test"])
    theirs = int((model.classes_[probabilities.argmax(1)] == y["test"]).sum())
    rows = [predictions[row["filename"]] for row in sets["test"]]
    ours = sum(row["predicted"] == row["label"] for row in rows)
    our_probabilities = np.array([[float(row[f"p_{name}"]) for name in model.classes_] for row in rows])
    print(f"  C = {strength:g}; trained on {len(y['training']):,}")
    line("topwork", ours, n, f"log loss {log_loss(y['test'], our_probabilities):.5f}")
    line("scikit-learn", theirs, n, f"log loss {log_loss(y['test'], probabilities):.5f}")
    print(f"  largest difference of a probability: {np.abs(probabilities - our_probabilities).max():.2e}")
    return ours / n >= 0.985 and abs(ours - theirs) / n <= 0.003


def cat_breeds(folder):
    print("cat-breeds, --folds 5")
    root = DATA / "cat-breeds"
    run, split, predictions = train(root / "labels.csv", folder / "cat-breeds", "--folds", "5")
    rows = [row for row in split if row["set"] == "training"]
    x, y = features(root, rows), np.array([row["label"] for row in rows])
    fold = np.array([int(row["fold"]) for row in rows])
    predicted = np.empty_like(y)
    for number, strength in enumerate(run["settings"]["strength_of_folds"]):
        model = fit(x[fold != number], y[fold != number], strength)
        predicted[fold == number] = model.predict(x[fold == number])
    ours = sum(predictions[row["filename"]]["predicted"] == row["label"] for row in rows)
    theirs = int((predicted == y).sum())
    line("topwork", ours, len(y))
    line("scikit-learn", theirs, len(y))
    return ours / len(y) >= 0.66 and abs(ours - theirs) / len(y) <= 0.01


def main():
    if not DATA.exists():
        sys.exit(f"{DATA} is not here")
    build = ["cargo", "build", "--release", "--locked", "-p", "topwork-cli", "-p", "topwork", "--bins", "--examples"]
    subprocess.run(build, cwd=PROJECT, check=True)
    with tempfile.TemporaryDirectory() as folder:
        passed = [job(Path(folder)) for job in (cats_and_dogs, cat_breeds)]
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
