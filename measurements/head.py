"""The linear head: what the middle of the network wins, few photos, the choice of C, and time.

    cargo build --release -p topwork --examples
    pip install numpy scikit-learn
    python measurements/head.py features        the last layer alone and with the middle, on all sets in ../shared/data
    python measurements/head.py few             2, 3, 5, 10 and 20 photos a class; many classes of 2 to 17 photos
    python measurements/head.py choice          the walk along C beside an exhaustive search
    python measurements/head.py margin          what a margin in favour of the stronger penalty would do on the test photos
    python measurements/head.py time            seconds by size; --sizes 100000x100,85000x2 for the large ones
    ... --peer                                  beside scikit-learn's LogisticRegressionCV (slow)

Features come from the program's own path (int8); C, and whether the middle counts, are chosen on the training photos alone (seed 42).
Test photos only report.
"""

import argparse
import csv
import hashlib
import json
import math
import struct
import subprocess
import time
from pathlib import Path

import numpy
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold

PROJECT = Path(__file__).resolve().parent.parent
DATA = PROJECT.parent / "shared" / "data"
BINARIES = PROJECT / "target" / "release" / "examples"
LAST = 1280
SEED = 42
STRENGTHS = [10 ** (half / 2) for half in range(-8, 5)]


class Photos:
    """A set: features, labels, which photos train, and the group of each photo, which never stands on both sides."""

    def __init__(self, name, paths, labels, training=None, groups=None):
        lines = "\n".join(str(path) for path in paths).encode()
        command = [BINARIES / "features_from_photos", "int8"]
        out = subprocess.run(command, input=lines, stdout=subprocess.PIPE, check=True).stdout
        self.name, self.x = name, numpy.frombuffer(out, "<f4").reshape(len(paths), -1)
        classes = sorted(set(labels))
        self.y = numpy.array([classes.index(label) for label in labels])
        self.classes = len(classes)
        self.training = None if training is None else numpy.array(training)
        self.groups = groups

    def splits(self):
        """Pairs of training and test photos: the set's own, or five folds by group."""
        if self.training is not None:
            return [(self.training, ~self.training)]
        groups = sorted(set(self.groups))
        order = numpy.random.RandomState(SEED).permutation(len(groups))
        fold_of = {groups[group]: place % 5 for place, group in enumerate(order)}
        folds = numpy.array([fold_of[group] for group in self.groups])
        return [(folds != fold, folds == fold) for fold in range(5)]


def photos(names):
    for name, folder in [("cats and dogs", "cats-and-dogs"), ("digits", "handwritten-digits"), ("cifar", "cifar")]:
        if name in names:
            paths = sorted(path for path in (DATA / folder).glob("*/*/*") if path.is_file())
            training = ["train" in path.parent.parent.name for path in paths]
            yield Photos(name, paths, [path.parent.name for path in paths], training)
    for name, folder in [("hands", "sign-digits"), ("cat breeds", "cat-breeds")]:
        if name in names:
            with open(DATA / folder / "labels.csv", newline="") as table:
                rows = list(csv.DictReader(table))
            paths = [DATA / folder / row["filename"] for row in rows]
            same = lambda path: hashlib.sha256(path.read_bytes()).hexdigest()
            groups = [row["person"] if name == "hands" else same(path) for row, path in zip(rows, paths)]
            yield Photos(name, paths, [row["label"] for row in rows], groups=groups)


def packed(parts, last=LAST):
    """Features as sums of two bytes, and the factors of both maps."""
    factors = [max(max(float(part[:, maps].max(initial=0)) for part in parts), 1e-9) / 65535
               for maps in (slice(None, last), slice(last, None))]
    out = bytearray()
    for part in parts:
        for rows in range(0, len(part), 4096):
            block = part[rows : rows + 4096]
            sums = numpy.empty(block.shape, "<u2")
            sums[:, :last] = numpy.rint(block[:, :last] / factors[0])
            sums[:, last:] = numpy.rint(block[:, last:] / factors[1])
            out += sums.tobytes()
    return factors, out


def topwork(x, y, asked, classes, mode="auto", seed=SEED):
    """What topwork chose, and the probabilities of the photos that are asked for."""
    factors, sums = packed([x, asked])
    header = struct.pack("<6I2f", len(x), len(asked), LAST, x.shape[1] - LAST, classes, 2, *factors)
    command = [BINARIES / "train_head", mode, str(seed)]
    given = header + sums + y.astype("<u4").tobytes()
    out = subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True).stdout
    line, rest = out.split(b"\n", 1)
    return json.loads(line), numpy.frombuffer(rest, "<f8").reshape(len(asked), classes)


def peer(x, y, folds=5, strengths=None):
    found = LogisticRegressionCV(
        Cs=strengths or STRENGTHS[2:11], cv=folds, scoring="neg_log_loss", max_iter=300, n_jobs=2
    )
    return found.fit(x, y)


def interval(right, n):
    """Wilson's, 95 %."""
    z, share = 1.959964, right / n
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def mcnemar(one, other):
    """Two-sided, exact."""
    only, lost = int((one & ~other).sum()), int((other & ~one).sum())
    n, least = only + lost, min(only, lost)
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(least + 1)) / 2**n) if n else 1.0


def calibration(probabilities, right):
    """Expected calibration error, ten bins."""
    sure = probabilities.max(1)
    bins = numpy.minimum((10 * sure).astype(int), 9)
    return sum(abs(sure[bins == k].sum() - right[bins == k].sum()) for k in range(10)) / len(sure)


def described(name, probabilities, y):
    right = probabilities.argmax(1) == y
    loss = -numpy.log(numpy.maximum(probabilities[numpy.arange(len(y)), y], 1e-300)).mean()
    low, high = interval(right.sum(), len(y))
    print(f"  {name:<26} accuracy {right.mean():.4f} ({low:.3f} to {high:.3f}, n = {len(y)}), log loss {loss:.4f}, "
          f"calibration error {calibration(probabilities, right):.3f}")
    return right


def features(arguments):
    for data in photos(arguments.sets):
        print(data.name)
        found = {mode: numpy.zeros((len(data.y), data.classes)) for mode in ("auto", "last")}
        peers = {name: numpy.zeros((len(data.y), data.classes)) for name in ("scikit-learn, last", "scikit-learn, both")}
        tested = numpy.zeros(len(data.y), bool)
        for training, test in data.splits():
            tested |= test
            x, y = data.x[training], data.y[training]
            for mode in found:
                told, found[mode][test] = topwork(x, y, data.x[test], data.classes, mode)
                chosen = told["choice"]
                print(f"  {mode}: {training.sum()} photos, C {chosen['strength']:.3g}, middle x {chosen['tap_weight']}, "
                      f"{chosen['folds']} folds, {told['seconds']:.2f} s")
            if arguments.peer:
                scale = math.sqrt(x[:, :LAST].var(0).sum() / x[:, LAST:].var(0).sum())
                both = numpy.concatenate([data.x[:, :LAST], scale * data.x[:, LAST:]], 1)
                for name, values in zip(peers, (data.x[:, :LAST], both)):
                    peers[name][test] = peer(values[training], y).predict_proba(values[test])
        right = {mode: described(f"topwork, {mode}", found[mode][tested], data.y[tested]) for mode in found}
        if arguments.peer:
            for name in peers:
                described(name, peers[name][tested], data.y[tested])
        saved = 1 - (~right["auto"]).sum() / max(1, (~right["last"]).sum())
        print(f"  errors saved {100 * saved:.1f} %, McNemar p = {mcnemar(right['auto'], right['last']):.4f}")


def few(arguments):
    data = next(photos(["cats and dogs"]))
    test = ~data.training
    print(f"cats and dogs, mean accuracy of five seeds on {test.sum()} test photos: topwork, scikit-learn (last layer)")
    for count in (2, 3, 5, 10, 20):
        scores = []
        for seed in range(5):
            random = numpy.random.RandomState(seed)
            each = [numpy.where(data.training & (data.y == label))[0] for label in (0, 1)]
            taken = numpy.concatenate([random.choice(photos, count, replace=False) for photos in each])
            _, probabilities = topwork(data.x[taken], data.y[taken], data.x[test], 2)
            other = peer(data.x[taken][:, :LAST], data.y[taken], min(5, count), STRENGTHS[2:])
            scores.append([(probabilities.argmax(1) == data.y[test]).mean(), (other.predict(data.x[test][:, :LAST]) == data.y[test]).mean()])
        mean, least = numpy.mean(scores, 0), numpy.min(scores, 0)
        print(f"  {count:>2} a class: {mean[0]:.4f} (least {least[0]:.3f}), {mean[1]:.4f} (least {least[1]:.3f})")
    every, labels = [], []
    for data in photos(arguments.sets):
        labels.append(data.y + sum(len(set(part)) for part in labels))
        every.append(data.x)
    x, y = numpy.concatenate(every), numpy.concatenate(labels)
    classes = int(y.max()) + 1
    print(f"{classes} classes of all sets, 2 to 17 photos each, 10 others a class to test")
    for seed in range(5):
        random = numpy.random.RandomState(seed)
        training, test = [], []
        for label in range(classes):
            order = random.permutation(numpy.where(y == label)[0])
            count = random.randint(2, 18)
            training += list(order[:count])
            test += list(order[count : count + 10])
        accuracy = {}
        for mode in ("auto", "last"):
            told, probabilities = topwork(x[training], y[training], x[test], classes, mode)
            accuracy[mode] = (probabilities.argmax(1) == y[test]).mean()
            accuracy[mode + " C"] = told["choice"]["strength"]
        fixed = [LogisticRegression(C=strength, max_iter=300).fit(x[training][:, :LAST], y[training])
                 .score(x[test][:, :LAST], y[test]) for strength in (0.001, 0.01, 0.1, 1, 10)]
        held = ", ".join(f"{mode} {'yes' if accuracy[mode] >= max(fixed) - 0.01 else 'NO'}" for mode in ("auto", "last"))
        print(f"  seed {seed}, {len(training)} photos, n = {len(test)}: auto {accuracy['auto']:.4f}, last {accuracy['last']:.4f} "
              f"(C {accuracy['last C']:.3g}); scikit-learn at C .001 to 10: {' '.join(f'{value:.4f}' for value in fixed)}; "
              f"within .01 of the best: {held}")


def choice(arguments):
    print("last layer; C of the walk and of an exhaustive search (exact fits, five folds), held-out log loss at both")
    for data in photos(arguments.sets):
        training, _ = data.splits()[0]
        x, y = data.x[training][:, :LAST], data.y[training]
        chosen = topwork(data.x[training], y, data.x[:0], data.classes, "last")[0]["choice"]["strength"]
        losses = numpy.zeros(len(STRENGTHS[2:]))
        for others, held_out in StratifiedKFold(5, shuffle=True, random_state=SEED).split(x, y):
            for at, strength in enumerate(STRENGTHS[2:]):
                fit = LogisticRegression(C=strength, tol=1e-4, max_iter=1000).fit(x[others], y[others])
                probabilities = fit.predict_proba(x[held_out])
                losses[at] -= numpy.log(numpy.maximum(probabilities[numpy.arange(len(held_out)), y[held_out]], 1e-300)).sum()
        losses /= len(y)
        mine, best = min(range(len(losses)), key=lambda at: abs(STRENGTHS[2 + at] - chosen)), int(losses.argmin())
        print(f"  {data.name}, n = {len(y)}: {chosen:.3g} and {STRENGTHS[2 + best]:.3g} ({abs(mine - best)} steps apart), "
              f"{losses[mine]:.4f} and {losses[best]:.4f} ({100 * (losses[mine] / losses[best] - 1):+.2f} %)")


def margin(arguments):
    print("last layer; the C of least held-out loss, and the strongest penalty within two standard errors of it (five folds):")
    print("log loss and calibration error on the photos of the test set or of the first fold")
    for data in photos(arguments.sets):
        training, test = data.splits()[0]
        x, y = data.x[training][:, :LAST], data.y[training]
        strengths, held_out_losses = STRENGTHS[2:11], []
        for others, held_out in StratifiedKFold(5, shuffle=True, random_state=SEED).split(x, y):
            def losses(strength):
                probabilities = LogisticRegression(C=strength, tol=1e-4, max_iter=500).fit(x[others], y[others]).predict_proba(x[held_out])
                return -numpy.log(numpy.maximum(probabilities[numpy.arange(len(held_out)), y[held_out]], 1e-300))
            held_out_losses.append([losses(strength) for strength in strengths])
        per_photo = numpy.concatenate([numpy.array(fold) for fold in held_out_losses], axis=1)
        best = int(per_photo.mean(1).argmin())

        def is_near(at):
            differences = per_photo[at] - per_photo[best]
            return differences.mean() <= 2 * differences.std() / math.sqrt(len(differences))
        strong = min(at for at in range(best + 1) if is_near(at))
        for name, at in (("least", best), ("strong", strong)):
            fit = LogisticRegression(C=strengths[at], tol=1e-5, max_iter=2000).fit(x, y)
            probabilities, label = fit.predict_proba(data.x[test][:, :LAST]), data.y[test]
            right = probabilities.argmax(1) == label
            loss = -numpy.log(numpy.maximum(probabilities[numpy.arange(len(label)), label], 1e-300)).mean()
            print(f"  {data.name}, {name}: C {strengths[at]:.3g}, {right.mean():.3f} of {len(label)} right, log loss {loss:.4f}, "
                  f"calibration {calibration(probabilities, right):.3f}")


def noisy(data, n, classes):
    """Rows of real features with noise of one standard deviation a column; more classes cut each of the ten by a direction."""
    random = numpy.random.RandomState(1)
    taken = random.randint(0, len(data.x), n)
    x = data.x[taken]
    deviation = data.x.std(0)
    for rows in range(0, n, 4096):
        block = x[rows : rows + 4096]
        block += random.standard_normal(block.shape).astype("f4") * deviation
        numpy.maximum(block, 0, out=block)
    y = data.y[taken]
    if classes <= 10:
        return x, y % classes
    along, each, out = x @ random.standard_normal(x.shape[1]).astype("f4"), classes // 10, numpy.empty(n, int)
    for label in range(10):
        own = y == label
        out[own] = label * each + along[own].argsort().argsort() * each // own.sum()
    return x, out


def timed(arguments):
    data = next(photos(["cifar"]))
    print("seconds in all (of the choice), median and range; noisy features of cifar, 1,280 + 672, two threads")
    for size in arguments.sizes.split(","):
        n, classes = map(int, size.split("x"))
        x, y = noisy(data, n, classes)
        told = [topwork(x, y, x[:0], classes)[0] for _ in range(arguments.repeats)]
        seconds = sorted(one["seconds"] for one in told)
        chosen = told[0]["choice"]
        line = (f"  {n} x {classes}: {seconds[len(seconds) // 2]:.2f} ({told[0]['seconds_of_choice']:.2f}), {seconds[0]:.2f} to "
                f"{seconds[-1]:.2f}; C {chosen['strength']:.3g}, middle x {chosen['tap_weight']}, {chosen['folds']} folds")
        if arguments.peer:
            last, start = x[:, :LAST], time.perf_counter()
            peer(last, y)
            took = time.perf_counter() - start
            line += f"; scikit-learn, last layer alone: {took:.1f}, {took / seconds[len(seconds) // 2]:.1f} times as long"
        print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["features", "few", "choice", "margin", "time", "all"])
    every = ["cats and dogs", "digits", "cifar", "hands", "cat breeds"]
    parser.add_argument("--sets", type=lambda text: text.split(","), default=every, help="comma-separated")
    parser.add_argument("--sizes", default="1750x10,1000x120,13700x8,50000x10")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", action="store_true")
    arguments = parser.parse_args()
    steps = {"features": features, "few": few, "choice": choice, "margin": margin, "time": timed}
    for name, step in steps.items():
        if arguments.what in (name, "all"):
            step(arguments)


if __name__ == "__main__":
    main()
