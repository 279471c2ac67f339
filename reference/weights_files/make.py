"""Writes the weights files in keras/, pytorch/ and hostile/, and expected.json: what Keras and PyTorch give with them.

    python reference/weights_files/make.py

README.md beside this script says what each file is.
"""

import gzip
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import network

HERE = Path(__file__).resolve().parent


def main():
    # TensorFlow and PyTorch cannot be loaded into one process.
    if len(sys.argv) > 1:
        name = sys.argv[1]
        shutil.rmtree(HERE / name, ignore_errors=True)
        (HERE / name).mkdir()
        numbers = importlib.import_module(f"{name}_files").write(HERE / name)
        # HDF5 leaves much empty space: 200 kB become 30.
        for file in [*(HERE / name).glob("*.h5"), *(HERE / name).glob("*.keras")]:
            file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))
            file.unlink()
        lists = {key: [float(value) for value in array] for key, array in (numbers or {}).items()}
        print(json.dumps(lists))
        return
    expected = {"height": network.HEIGHT, "width": network.WIDTH}
    for name in ["keras", "pytorch", "hostile"]:
        run = subprocess.run([sys.executable, __file__, name], check=True, stdout=subprocess.PIPE, text=True)
        numbers = json.loads(run.stdout.splitlines()[-1])
        if numbers:
            expected[name] = numbers
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


main()
