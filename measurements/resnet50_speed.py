"""ResNet-50 against OpenVINO, PyTorch and Keras, in one run: the section on ResNet-50 of docs/performance.md.

    python measurements/resnet50_speed.py [--rounds 5] [--seconds 2] [--only ROW[,ROW …]] [--out FILE] [--work FOLDER]

Rows, each images/s of the network alone at 224 x 224 on every core, batches of one:

    int8        topwork on bytes                       beside OpenVINO int8
    int8-vnni   topwork held to AVX-512 with VNNI      beside OpenVINO int8, held to the same (only where there is AMX)
    f32         topwork in f32                         beside OpenVINO f32
    pytorch     topwork in f32                         beside PyTorch f32, a thread a core with whole images (not run unless named)
    keras       topwork in f32                         beside Keras f32 on TensorFlow, batches of 8 (not run unless named)

All weights are made up: speed does not depend on them where activations keep their size. OpenVINO's int8 is NNCF's, calibrated
on 60 photos, with its throughput settings (a stream a core). Both sides are running programs that wait for their turns, so that
every round has a short slice of each side, in the other order every second time. The ratio is topwork's speed divided by the
peer's, round by round; the table has medians and, in parentheses, ranges.

Five rounds take a minute and the first preparation another. Needs the packages of reference/requirements.txt and ../shared/data.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from engine import CORES, DATA, PROJECT, spread

PROGRAM = PROJECT / "target" / "release" / "examples" / "resnet50_speed"
SERVER = Path(__file__).with_name("resnet50_peers.py")
VNNI = {"TOPWORK_ISA": "avx512"}
ROWS = {
    "int8": ("int8, against OpenVINO int8", "int8", {}, "openvino-int8", {}),
    "int8-vnni": ("int8 without AMX, against OpenVINO int8 without AMX", "int8", VNNI, "openvino-int8", {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"}),
    "f32": ("f32, against OpenVINO f32", "f32", {}, "openvino-f32", {}),
    "pytorch": ("f32, against PyTorch f32", "f32", {}, "pytorch", {}),
    "keras": ("f32, against Keras f32", "f32", {}, "keras", {}),
}


class Side:
    """A program that answers a line with seconds by a line with the images a second of that time."""

    def __init__(self, command, variables):
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **variables}
        )
        self.name = self.line()

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args}: ended with {self.process.wait()}")
        return line.strip()

    def speed(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return float(self.line())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of a slice")
    parser.add_argument("--only", default="int8,int8-vnni,f32", metavar="ROW[,ROW …]")
    parser.add_argument("--out", type=Path, help="all figures as JSON")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "topwork-measurements")
    arguments = parser.parse_args()
    rows = arguments.only.split(",")
    if unknown := [row for row in rows if row not in ROWS]:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    build = ["cargo", "build", "--release", "--locked", "-p", "topwork", "--example", "resnet50_speed"]
    subprocess.run(build, cwd=PROJECT, check=True)
    folder = arguments.work / "resnet50"
    if not (folder / "int8.xml").exists():
        if not DATA.exists():
            sys.exit(f"{DATA} is not here")
        print("preparing OpenVINO's networks", file=sys.stderr)
        subprocess.run([sys.executable, SERVER, "prepare", folder], check=True, stdout=subprocess.DEVNULL)
    sides = {
        row: (
            Side([PROGRAM, "resnet50_torchvision", precision, "turns"], ours),
            Side([sys.executable, SERVER, peer, folder], theirs),
        )
        for row, (_, precision, ours, peer, theirs) in ROWS.items()
        if row in rows
    }
    found = {row: [] for row in sides}
    for number in range(arguments.rounds):
        for row, pair in sides.items():
            order = (0, 1) if number % 2 == 0 else (1, 0)
            speeds = {which: pair[which].speed(arguments.seconds) for which in order}
            found[row].append((speeds[0], speeds[1]))
            print(f"round {number + 1}, {row}: {speeds[0]:.1f} against {speeds[1]:.1f}: {speeds[0] / speeds[1]:.2f}", file=sys.stderr)
    print(f"{CORES} cores, {arguments.rounds} rounds of {arguments.seconds} s; medians (range)\n")
    print("| ResNet-50, 224 x 224, images/s | topwork | the peer | topwork's speed ÷ the peer's |")
    print("| --- | --- | --- | --- |")
    for row, rounds in found.items():
        ours, theirs = zip(*rounds)
        names = f"{sides[row][0].name}; {sides[row][1].name}"
        cells = [f"{ROWS[row][0]} ({names})", spread(ours), spread(theirs), spread([one / other for one, other in rounds])]
        print(f"| {' | '.join(cells)} |")
    if arguments.out:
        arguments.out.write_text(json.dumps({"cores": CORES, "rounds": found}, indent=1))


if __name__ == "__main__":
    main()
