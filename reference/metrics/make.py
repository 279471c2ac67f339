"""Writes metrics.json: what scikit-learn and SciPy say about small random evaluations.

Run from this folder: python make.py  (scikit-learn 1.9, SciPy, numpy)
Probabilities are stored as whole thousandths, so that both sides start from the same f64 values.
"""

import json
import sys
import warnings

import numpy as np
import scipy
import sklearn
from scipy.stats import binomtest
from sklearn.metrics import (
    balanced_accuracy_score,
    classification_report,
    confusion_matrix,
    log_loss,
    roc_auc_score,
    top_k_accuracy_score,
)

warnings.simplefilter("ignore")
random = np.random.default_rng(20261123)

NAMES = [
    "", "a", "cat", "Bombay", "Zwergschnauzer mit einem Namen, der länger als jede Überschrift ist",
    "chien", "キジトラ猫", "Čeština", "🐈\u200d⬛", "<script>", "dog 2", "Ω", "macro", "x,y;\"z\"", "0",
]


def names(count):
    chosen = random.choice(len(NAMES), size=count, replace=False)
    return sorted((NAMES[i] for i in chosen), key=lambda name: name.encode())


def thousandths(count, label, sharp):
    while True:
        weights = random.dirichlet(np.full(count, sharp))
        if random.random() < 0.6:
            weights[label] += 1.0
            weights /= 2.0
        row = random.multinomial(1000, weights)
        # Equal probabilities are ordered differently by top_k_accuracy_score: see rank_of in metrics/ranking.rs.
        if count <= 5 or len(set(row)) == count:
            return row.tolist()


def expected(classes, labels, rows):
    count = len(classes)
    probabilities = np.array(rows, dtype=np.float64) / 1000.0
    labels = np.array(labels)
    predicted = probabilities.argmax(axis=1)
    every = list(range(count))
    # By position: a dictionary by name would lose a class that is called "accuracy".
    report = classification_report(
        labels, predicted, labels=every, target_names=[f"class {i}" for i in every], output_dict=True,
        zero_division=0,
    )
    interval = binomtest(int((labels == predicted).sum()), len(labels)).proportion_ci(0.95, method="wilson")
    both = len(set(labels.tolist())) == 2
    return {
        "confusion": confusion_matrix(labels, predicted, labels=every).tolist(),
        "accuracy": report["accuracy"],
        "interval": [float(interval.low), float(interval.high)],
        "balanced_accuracy": balanced_accuracy_score(labels, predicted),
        "log_loss": log_loss(labels, probabilities, labels=every),
        "roc_auc": float(roc_auc_score(labels, probabilities[:, 1])) if count == 2 and both else None,
        "top5": float(top_k_accuracy_score(labels, probabilities, k=5, labels=every)) if count > 5 else None,
        "scores": [list(report[f"class {i}"].values()) for i in every]
        + [list(report["macro avg"].values()), list(report["weighted avg"].values())],
        "text": classification_report(
            labels, predicted, labels=every, target_names=classes, digits=2, zero_division=0
        ),
    }


def case(name, classes, labels, rows):
    return {
        "name": name, "classes": classes, "labels": labels, "thousandths": rows,
        "expected": expected(classes, labels, rows),
    }


def one_hot(count, at):
    return [1000 if i == at else 0 for i in range(count)]


cases = []
for number in range(46):
    count = 2 + number % 11
    present = sorted(random.choice(count, size=max(1, count - number % 3), replace=False).tolist())
    never = int(random.integers(count)) if number % 4 == 3 else None
    labels, rows = [], []
    for _ in range(int(random.integers(1, 28))):
        label = int(random.choice(present))
        row = thousandths(count, label, 0.3 if count < 6 else 2.0)
        if never is not None and count <= 5:
            row[(never + 1) % count] += row[never]
            row[never] = 0
        labels.append(label)
        rows.append(row)
    cases.append(case(f"random {number}", names(count), labels, rows))

# Shares of 1/8 lie exactly between two two-digit numbers: half to even, as Python formats.
for right in (1, 3, 5, 7):
    labels = [0] * 8 + [1] * 8
    rows = [one_hot(2, 0 if i < right else 1) for i in range(8)] + [one_hot(2, 1)] * 8
    cases.append(case(f"{right} of 8", ["cats", "dogs"], labels, rows))
cases.append(case("one class, one photo", ["cats", "dogs"], [1], [[500, 500]]))
cases.append(case("one prediction for all", ["a", "b", "c"], [0, 1, 2, 2, 2], [one_hot(3, 2)] * 5))
labels = [i % 150 for i in range(300)]
rows = [one_hot(150, (i * i) % 7 + label if label < 140 else label) for i, label in enumerate(labels)]
many = case("150 classes", [f"{i:03}" for i in range(150)], labels, rows)
# Only where the thousand stands is stored for this one, and no confusion matrix: they would be 90 % of the file.
many["hot"] = [row.index(1000) for row in many.pop("thousandths")]
del many["expected"]["confusion"], many["expected"]["top5"]
cases.append(many)

with open("metrics.json", "w", encoding="utf-8") as file:
    versions = {"python": sys.version.split()[0], "scikit-learn": sklearn.__version__,
                "scipy": scipy.__version__, "numpy": np.__version__}
    head = json.dumps(versions)
    body = ",\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in cases)
    file.write(f'{{"versions":{head},"cases":[\n{body}\n]}}\n')
