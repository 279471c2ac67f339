"""Writes linear_head.json: scikit-learn's LogisticRegression on small data, fitted to convergence.

Run in this folder: python make.py   (numpy, scikit-learn 1.9)
"""

import json

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(20261123)


def data(n, width, classes):
    """Rectified features around class centres, as pooled features are; sizes of classes differ."""
    labels = np.sort(rng.choice(classes, size=n, p=np.arange(1, classes + 1) / (classes * (classes + 1) / 2)))
    labels[:classes] = np.arange(classes)
    centres = rng.normal(0.3, 0.35, (classes, width))
    features = np.maximum(centres[labels] + rng.normal(0, 0.5, (n, width)), 0)
    return np.round(features, 3).astype(np.float32), labels


cases = []
for name, n, width, classes in [("two classes", 120, 12, 2), ("five classes", 120, 12, 5), ("wide", 24, 40, 3)]:
    features, labels = data(n, width, classes)
    fits = []
    for strength in [1e-4, 1e-2, 1.0, 10.0]:
        for balanced in [False, True]:
            model = LogisticRegression(
                C=strength, tol=1e-10, max_iter=100_000, class_weight="balanced" if balanced else None
            ).fit(features.astype(np.float64), labels)
            fits.append(
                {
                    "strength": strength,
                    "balanced": balanced,
                    "weights": np.round(model.coef_, 7).ravel().tolist(),
                    "intercepts": np.round(model.intercept_, 7).tolist(),
                    "probabilities": np.round(model.predict_proba(features), 7).ravel().tolist(),
                }
            )
    cases.append(
        {
            "name": name,
            "width": width,
            "classes": classes,
            "features": [round(float(value), 3) for value in features.ravel()],
            "labels": labels.tolist(),
            "fits": fits,
        }
    )



def out_of_fold(case, balanced):
    """Each row predicted by a model of the other folds, each fold with its own C."""
    features = np.array(case["features"], np.float64).reshape(-1, case["width"])
    labels = np.array(case["labels"])
    fold_of = np.zeros(len(labels), int)
    for label in range(case["classes"]):
        members = np.flatnonzero(labels == label)
        fold_of[members] = rng.permutation(np.arange(len(members)) % FOLDS)
    probabilities = np.zeros((len(labels), case["classes"]))
    for fold, strength in enumerate(FOLD_STRENGTHS):
        train = fold_of != fold
        model = LogisticRegression(
            C=strength, tol=1e-10, max_iter=100_000, class_weight="balanced" if balanced else None
        ).fit(features[train], labels[train])
        probabilities[~train] = model.predict_proba(features[~train])
    return {
        "case": case["name"],
        "balanced": balanced,
        "fold_of": fold_of.tolist(),
        "strengths": FOLD_STRENGTHS,
        "probabilities": np.round(probabilities, 7).ravel().tolist(),
    }


FOLDS = 3
FOLD_STRENGTHS = [0.01, 0.1, 1.0]
folds = [out_of_fold(case, balanced) for case in cases[:2] for balanced in [False, True]]

with open("linear_head.json", "w") as file:
    json.dump({"sklearn": sklearn.__version__, "cases": cases, "folds": folds}, file, separators=(",", ":"))
    file.write("\n")
