"""Writes split.json: which files Keras' ImageDataGenerator(validation_split=...) takes for validation.

Keras lists the folders itself (keras 3.15, legacy/preprocessing/image.py, DirectoryIterator); no picture is read.
"""

import json
import tempfile
from pathlib import Path

from keras.src.legacy.preprocessing.image import ImageDataGenerator

HERE = Path(__file__).parent

CASES = [
    (0.15, [f"cats/cat.{i}.jpg" for i in range(1, 41)] + [f"dogs/dog.{i}.jpg" for i in range(1, 34)]),
    (0.29, [f"a/{i}.PNG" for i in range(100)] + [f"b/{i}.Jpeg" for i in range(7)]),
    (
        0.5,
        # Folders sort by their whole path, so "x-y" comes before what lies below "x"; endings need no dot.
        ["a/x/2.jpg", "a/x-y/1.jpg", "a/x/y/0.jpg", "a/zz.jpg", "a/Z.bmp", "a/x.jpg", "a/xjpg", "a/é.tif"]
        + ["a/unseen.gif", "a/unseen.webp", "a/unseen.txt", "b/1.ppm", "b/2.tiff", "b/3.jpg", "b/3.gif"],
    ),
    (0.3, ["a/\U0001f408.jpg", "a/\uffee.jpg", "a/a.jpg", "a/B.jpg"] + [f"b/{i}.jpg" for i in range(10)]),
]


def validation(share, files):
    with tempfile.TemporaryDirectory() as root:
        for name in files:
            path = Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        generator = ImageDataGenerator(validation_split=share)
        return list(generator.flow_from_directory(root, subset="validation").filenames)


cases = [{"share": share, "files": files, "validation": validation(share, files)} for share, files in CASES]
(HERE / "split.json").write_text(json.dumps(cases, indent=1) + "\n")
