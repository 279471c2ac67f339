"""The engine against what it is measured by, in one run: the table of docs/performance.md.

    python measurements/engine.py [--rounds 5] [--only ROW[,ROW …]] [--out FILE] [--work FOLDER]

Rows (each can be repeated alone with --only):

    int8      Lite0 on bytes, the network alone, images/s            beside OpenVINO int8
    f32       Lite0 in f32, the network alone, images/s              beside OpenVINO f32
    pillow    photos/s of `topwork train` on the 3,000 photos of cats-and-dogs, no feature known, with cross-validation and
              report                                                 beside Pillow + OpenVINO int8 + scikit-learn, one fit
    opencv    the same                                               beside OpenCV + OpenVINO int8 + scikit-learn, one fit
    large     photos/s of `topwork predict` on 300 JPEGs of 12 megapixels, made here from enlarged photos and noise
                                                                     beside Pillow with draft + OpenVINO int8, features alone
    limit     photos/s of the job of row `pillow`                    beside the limit: decoding at its own speed and the
                                                                     network at the machine's peak, on all cores
    accuracy  int8 beside f32: the test photos of cats-and-dogs, five folds of cat-breeds (once: it is the same each time)
    isa       the network alone, and the line from files to features, forced to AVX2, AVX-512 and plain loops

Both sides use every core and are whole programs, from their start to their end. Every round runs each side once, in turns
and in the other order every second time. Of OpenVINO's ways (a request for each core or one on all, batches of 1 and 4)
the fastest of the round counts. The ratio is topwork's speed divided by the peer's, round by round; the table has medians
and, in parentheses, the range. Networks and photos are prepared once in the work folder and kept there.

Five rounds take about 12 minutes on two quiet cores, the first time 4 more for the preparation. Needs the packages of
reference/requirements.txt and ../shared/data.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
DATA = PROJECT.parent / "shared" / "data"
PHOTOS = DATA / "cats-and-dogs"
PROGRAM = PROJECT / "target" / "release" / "topwork"
PEERS = Path(__file__).with_name("peers.py")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
LARGE, LARGE_SIZE = 300, (4000, 3000)


def run(command, **variables):
    """Seconds of a program, and what it wrote to standard output."""
    start = time.perf_counter()
    ended = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **variables}
    )
    seconds = time.perf_counter() - start
    if ended.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: exit status {ended.returncode}\n{ended.stderr}")
    return seconds, ended.stdout


def bench(*arguments, **variables):
    """The figures of `topwork bench`."""
    return json.loads(run([PROGRAM, "bench", "--format", "json", *map(str, arguments)], **variables)[1])


def peer(*arguments):
    """Seconds of a peer as a whole program, and what it found."""
    seconds, output = run([sys.executable, PEERS, *map(str, arguments)])
    return seconds, json.loads(output.splitlines()[-1])


def train(photos, *options):
    """Seconds of a whole training with an empty store, and the accuracy of each set."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [PROGRAM, "train", photos, "--out", out, "--quiet", *options]
        seconds, _ = run(command, TOPWORK_CACHE=f"{folder}/store")
        sets = json.loads((out / "metrics.json").read_text())["sets"]
        return seconds, {name: metrics["accuracy"] for name, metrics in sets.items()}


def network_of_topwork(precision, work, **variables):
    figures = bench("--network", "--precision", precision, "--seconds", 2, **variables)
    one, *more = figures["network"]["runs"]
    every = more[0] if more else one
    return {
        "speed": every["images_per_second"],
        "one_thread": one["images_per_second"],
        "share_of_peak": every["share_of_peak"],
        "isa": figures["isa"],
    }


def network_of_openvino(precision, work):
    _, found = peer("network", work / "openvino", precision)
    return {"speed": found["all_threads"], "one_thread": found["one_thread"], "ways": found["ways"]}


def job_of_topwork(work):
    seconds, accuracies = train(PHOTOS)
    return {"speed": count(PHOTOS) / seconds, "seconds": seconds, "accuracy": accuracies["test"]}


def job_of_peer(decoder, work):
    seconds, found = peer("line", work / "openvino", decoder, PHOTOS, "--head")
    return {
        "speed": found["photos"] / seconds,
        "seconds": seconds,
        "without_imports": found["seconds"],
        "accuracy": found["accuracy"],
    }


def large_of_topwork(work):
    command = [PROGRAM, "predict", work / "large", "--format", "csv", "--top", "1", "--no-store", "--quiet"]
    seconds, output = run(command)
    photos = len(output.splitlines()) - 1
    assert photos == LARGE, f"{photos} answers"
    return {"speed": photos / seconds, "seconds": seconds}


def large_of_peer(work):
    seconds, found = peer("line", work / "openvino", "pillow", work / "large", "--draft")
    return {"speed": found["photos"] / seconds, "seconds": seconds, "without_imports": found["seconds"]}


def limit(work):
    """Photos/s where only decoding and the network's arithmetic took time, neither waiting for the other."""
    figures = bench(PHOTOS, "--seconds", 3)
    alone = figures["line"]["runs"][0]["milliseconds"]
    network = figures["network"]
    peak = network["runs"][-1]["peak_gop_per_second"]
    milliseconds = alone["decode"] / CORES + 1e3 * network["gop_per_image"] / peak
    return {"speed": 1e3 / milliseconds, "decode_milliseconds": alone["decode"], "peak": peak, "bench": figures}


def isa(work):
    """Speeds of the network and of the line with each instruction set that there is."""
    found = {}
    for name in sorted({peak["isa"] for peak in bench("--machine", "--seconds", 0.01)["peaks"]}):
        figures = bench(PHOTOS, "--seconds", 2, TOPWORK_ISA=name)
        found[name] = {
            "int8": figures["network"]["runs"][-1]["images_per_second"],
            "line": figures["line"]["runs"][-1]["photos_per_second"],
            "f32": network_of_topwork("f32", work, TOPWORK_ISA=name)["speed"],
        }
    return found


def accuracy(work):
    found = {}
    for precision in ["int8", "f32"]:
        _, cats_and_dogs = train(PHOTOS, "--precision", precision)
        _, breeds = train(DATA / "cat-breeds" / "labels.csv", "--precision", precision, "--folds", "5")
        found[precision] = {
            "cats-and-dogs, test": cats_and_dogs["test"],
            "cat-breeds, five folds": breeds["cross_validation"],
        }
    return found


def count(folder):
    return sum(1 for _ in folder.rglob("*.jpg"))


# What stands against what: title, unit, both sides, what must be reached, the aim.
ROWS = {
    "int8": (
        "Lite0 int8, network alone, against OpenVINO int8",
        "images/s",
        lambda work: network_of_topwork("int8", work),
        lambda work: network_of_openvino("int8", work),
        "≥ 0.85",
        "≥ 1.2",
    ),
    "f32": (
        "Lite0 f32, network alone, against OpenVINO f32",
        "images/s",
        lambda work: network_of_topwork("f32", work),
        lambda work: network_of_openvino("f32", work),
        "≥ 0.85",
        "≥ 1.1",
    ),
    "pillow": (
        "whole job, 3,000 photos, against Pillow + OpenVINO int8 + scikit-learn",
        "photos/s",
        job_of_topwork,
        lambda work: job_of_peer("pillow", work),
        "≥ 1.4",
        "≥ 2",
    ),
    "opencv": (
        "whole job, 3,000 photos, against OpenCV + OpenVINO int8 + scikit-learn",
        "photos/s",
        job_of_topwork,
        lambda work: job_of_peer("opencv", work),
        "≥ 0.85",
        "≥ 1.15",
    ),
    "large": (
        "300 JPEGs of 12 megapixels, against Pillow with draft + OpenVINO int8",
        "photos/s",
        large_of_topwork,
        large_of_peer,
        "≥ 0.7",
        "≥ 1.1",
    ),
    "limit": (
        "share of the limit: decoding at its own speed + int8 at the machine's peak",
        "photos/s",
        job_of_topwork,
        limit,
        "report",
        "≥ 0.65",
    ),
}


def enlarged(place):
    """A photo of cats-and-dogs as a camera of 12 megapixels would give it: about 2 MB, with the noise of a sensor."""
    import numpy as np
    from PIL import Image

    index, source, target = place
    with Image.open(source) as file:
        photo = file.convert("RGB")
    if photo.height > photo.width:
        photo = photo.rotate(90, expand=True)
    wide = min(photo.width, photo.height * LARGE_SIZE[0] // LARGE_SIZE[1])
    high = wide * LARGE_SIZE[1] // LARGE_SIZE[0]
    left, top = (photo.width - wide) // 2, (photo.height - high) // 2
    photo = photo.resize(LARGE_SIZE, Image.Resampling.BICUBIC, box=(left, top, left + wide, top + high))
    noise = np.random.default_rng(index).normal(0, 5, (512, 512, 1))
    repeats = (-(-LARGE_SIZE[1] // 512), -(-LARGE_SIZE[0] // 512), 1)
    noise = np.tile(noise, repeats)[: LARGE_SIZE[1], : LARGE_SIZE[0]].astype(np.int16)
    pixels = np.clip(np.asarray(photo, np.int16) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(target, quality=85)
    return target.stat().st_size


def prepare(work, rows):
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=PROJECT, check=True)
    if not (work / "openvino" / "int8.xml").exists():
        print("preparing OpenVINO's networks", file=sys.stderr)
        peer("prepare", work / "openvino")
    large = work / "large"
    if "large" in rows and not large.exists():
        print("making photos of 12 megapixels", file=sys.stderr)
        unfinished = work / "large.unfinished"
        unfinished.mkdir(exist_ok=True)
        sources = sorted((PHOTOS / "training_set").rglob("*.jpg"))
        step = len(sources) // LARGE
        places = [(at, sources[at * step], unfinished / f"{at:03}.jpg") for at in range(LARGE)]
        with ProcessPoolExecutor(CORES) as pool:
            sizes = list(pool.map(enlarged, places))
        unfinished.rename(large)
        print(f"mean size {sum(sizes) / LARGE / 1e6:.2f} MB", file=sys.stderr)


def spread(values):
    middle, low, high = statistics.median(values), min(values), max(values)
    digits = 2 if high < 10 else 1 if high < 100 else 0
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def table(results):
    lines = [
        "| what | topwork | the other | ratio | must | aim | accuracy, topwork and the other |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, (title, unit, _, _, must, aim) in ROWS.items():
        rounds = results["rounds"].get(name)
        if not rounds:
            continue
        ours, theirs = ([side[which] for side in rounds] for which in ("topwork", "other"))
        ratios = [one["speed"] / other["speed"] for one, other in zip(ours, theirs)]
        speeds = [spread([side["speed"] for side in sides]) for sides in (ours, theirs)]
        accuracies = [sides[-1].get("accuracy") for sides in (ours, theirs)]
        judged = ", ".join(f"{value:.3f}" for value in accuracies if value is not None)
        lines.append(f"| {title} | {speeds[0]} {unit} | {speeds[1]} | {spread(ratios)} | {must} | {aim} | {judged} |")
    if "accuracy" in results:
        for what in results["accuracy"]["int8"]:
            int8, f32 = results["accuracy"]["int8"][what], results["accuracy"]["f32"][what]
            must = "within .003" if "test" in what else "within .010"
            lines.append(f"| int8 against f32, {what} | | | {int8 - f32:+.3f} | {must} | equal | {int8:.3f}, {f32:.3f} |")
    sets = results["rounds"].get("isa")
    for what, title, unit in [
        ("int8", "network alone, int8", "images/s"),
        ("f32", "network alone, f32", "images/s"),
        ("line", "files to features, int8", "photos/s"),
    ]:
        for one, other in [("avx2", "avx512"), ("scalar", "avx2")]:
            if not sets or one not in sets[0] or other not in sets[0]:
                continue
            speeds = [[round[isa][what] for round in sets] for isa in (one, other)]
            ratios = [slow / fast for slow, fast in zip(*speeds)]
            must = "≥ 0.25" if one == "scalar" else "report"
            cells = [f"{title}: {one} against {other}", f"{spread(speeds[0])} {unit}", spread(speeds[1]), spread(ratios)]
            lines.append(f"| {' | '.join(cells)} | {must} | | |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*ROWS, "accuracy", "isa"]
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(names), metavar="ROW[,ROW …]")
    parser.add_argument("--out", type=Path, help="all figures as JSON")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "topwork-measurements")
    arguments = parser.parse_args()
    rows = arguments.only.split(",")
    if unknown := [row for row in rows if row not in names]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(names)}")
    if not PHOTOS.exists():
        sys.exit(f"{PHOTOS} is not here")
    arguments.work.mkdir(parents=True, exist_ok=True)
    prepare(arguments.work, rows)
    results = {"cores": CORES, "machine": bench("--machine"), "rounds": {}}
    for number in range(arguments.rounds):
        for name in rows:
            if name in ROWS:
                sides = [("topwork", ROWS[name][2]), ("other", ROWS[name][3])]
                found = {side: measure(arguments.work) for side, measure in sides[:: -1 if number % 2 else 1]}
                ours, theirs = found["topwork"]["speed"], found["other"]["speed"]
                print(f"round {number + 1}, {name}: {ours:.1f} against {theirs:.1f}: {ours / theirs:.2f}", file=sys.stderr)
                results["rounds"].setdefault(name, []).append(found)
            elif name == "isa":
                results["rounds"].setdefault("isa", []).append(isa(arguments.work))
                print(f"round {number + 1}, isa: {results['rounds']['isa'][-1]}", file=sys.stderr)
            elif number == 0:
                results["accuracy"] = accuracy(arguments.work)
        # Written after every round, so that an interrupted run is not lost.
        if arguments.out:
            arguments.out.write_text(json.dumps(results, indent=1))
    machine = results["machine"]
    print(f"{CORES} cores at {machine['clock_ghz']:.2f} GHz, {arguments.rounds} rounds; medians (range)\n")
    print(table(results))


if __name__ == "__main__":
    main()
