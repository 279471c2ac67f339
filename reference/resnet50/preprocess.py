"""Writes preprocess.csv: what the frameworks' own preprocessing makes of pictures, before the network's normalisation.

    python reference/resnet50/preprocess.py

Each row: the backbone, width and height of the picture (`noise` of ../lite0/README.md), and the digest of the R, G, B bytes that
its network takes. Keras' `load_img`, torchvision's `ImageClassification` of the published weights and timm's evaluation
transform of the published configuration are run themselves, without their last steps.
"""

import csv
import io
import os
import random
import sys
from pathlib import Path

import numpy
from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import pictures

# Photographs' sizes; then halves of the left-over beside the crop that are odd, ratios that do not come out even, and extremes.
SIZES = [(500, 374), (374, 500), (1050, 702), (640, 427), (405, 361), (361, 405), (224, 224), (256, 256), (232, 235)]
SIZES += [(257, 512), (512, 513), (512, 515), (235, 471), (300, 301), (223, 225), (100, 75), (40, 999), (999, 40), (3, 2), (1, 1)]
RANDOM_SIZES = 20


def resnet50(photo):
    import keras

    file = io.BytesIO()
    photo.save(file, "PNG")
    return keras.utils.load_img(io.BytesIO(file.getvalue()), target_size=(224, 224))


def of_torchvision(weights):
    from torchvision.models import ResNet50_Weights
    from torchvision.transforms import functional

    transform = ResNet50_Weights[weights].transforms()

    def run(photo):
        # ImageClassification.forward up to where bytes become numbers.
        resized = functional.resize(
            photo, transform.resize_size, interpolation=transform.interpolation, antialias=transform.antialias
        )
        cropped = functional.center_crop(resized, transform.crop_size)
        mean, deviation = numpy.float32(transform.mean), numpy.float32(transform.std)
        whole = transform(photo).numpy().transpose(1, 2, 0) * deviation + mean
        assert (numpy.rint(whole * 255).astype(numpy.uint8) == numpy.asarray(cropped)).all(), "not what forward does"
        return cropped

    return run


def of_timm(name):
    from timm.data import create_transform, resolve_data_config
    from timm.models import get_pretrained_cfg

    # As training evaluates it (224); `use_test_size` would take the larger size that the configuration also names.
    config = resolve_data_config(pretrained_cfg=get_pretrained_cfg(name).to_dict(), use_test_size=False)
    return create_transform(**config, normalize=False)


def main():
    os.environ["KERAS_BACKEND"] = "torch"
    transforms = {
        "resnet50": resnet50,
        "resnet50_torchvision": of_torchvision("IMAGENET1K_V1"),
        "resnet50_torchvision_v2": of_torchvision("IMAGENET1K_V2"),
        "resnet50_timm_a1": of_timm("resnet50.a1_in1k"),
    }
    generator = random.Random(6)
    sizes = SIZES + [(generator.randint(20, 700), generator.randint(20, 700)) for _ in range(RANDOM_SIZES)]
    with HERE.joinpath("preprocess.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["backbone", "width", "height", "digest"])
        for width, height in sizes:
            photo = Image.fromarray(pictures.picture("noise", height, width))
            for name, transform in transforms.items():
                pixels = numpy.asarray(transform(photo))
                if pixels.shape == (3, 224, 224):
                    pixels = pixels.transpose(1, 2, 0)
                assert pixels.shape == (224, 224, 3) and pixels.dtype == numpy.uint8, (name, pixels.shape, pixels.dtype)
                rows.writerow([name, width, height, f"{pictures.digest(pixels):016x}"])


if __name__ == "__main__":
    main()
