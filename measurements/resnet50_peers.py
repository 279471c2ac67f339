"""The peers of measurements/resnet50_speed.py, which starts this.

    python measurements/resnet50_peers.py prepare FOLDER           torchvision's ResNet-50 for OpenVINO: f32.xml, int8.xml
    python measurements/resnet50_peers.py PEER FOLDER              openvino-int8, openvino-f32, pytorch or keras

A peer prints its name, and then for each line of standard input, a number of seconds, the images a second of that time.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from peers import CALIBRATION, CORES, CROP, compiled, pillow

PHOTOS = 60


def network():
    """Made-up weights with which activations keep their size."""
    import torch
    import torchvision

    torch.manual_seed(0)
    model = torchvision.models.resnet50(weights=None)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 1.5)
            module.running_mean.uniform_(-0.1, 0.1)
            module.bias.data.uniform_(-0.1, 0.1)
            module.weight.data.uniform_(0.8, 1.2)
    for module in model.modules():
        if isinstance(module, torchvision.models.resnet.Bottleneck):
            module.bn3.weight.data.uniform_(0.1, 0.3)
    model.fc = torch.nn.Identity()
    return model.eval()


def prepare(folder):
    import nncf
    import openvino as ov
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    example = torch.zeros(1, 3, CROP, CROP)
    model = ov.convert_model(network(), example_input=example, input=[1, 3, CROP, CROP])
    steps = ov.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    mean, deviation = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    steps.input().preprocess().convert_element_type(ov.Type.f32).mean(mean).scale(deviation)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    model = steps.build()
    ov.save_model(model, folder / "f32.xml", compress_to_fp16=False)
    photos = sorted(CALIBRATION.glob("*/*.jpg"))
    photos = [pillow(path)[None] for path in photos[:: max(1, len(photos) // PHOTOS)][:PHOTOS]]
    quantised = nncf.quantize(
        model, nncf.Dataset(photos), preset=nncf.QuantizationPreset.PERFORMANCE, subset_size=len(photos)
    )
    ov.save_model(quantised, folder / "int8.xml")


def openvino(folder, precision, images):
    import openvino as ov

    model = compiled(folder, precision, 1, CORES, "THROUGHPUT")
    queue = ov.AsyncInferQueue(model, 0)
    layers = [operation.get_rt_info() for operation in model.get_runtime_model().get_ordered_ops()]
    kinds = [layer["primitiveType"].astype(str) for layer in layers if layer["layerType"].astype(str) == "Convolution"]
    images = [image[None] for image in images]

    def run(seconds):
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            queue.start_async(images[count % len(images)], share_inputs=True)
            count += 1
        queue.wait_all()
        return count / (time.perf_counter() - start)

    return f"OpenVINO {ov.__version__.split('-')[0]}, mostly {max(set(kinds), key=kinds.count)}, {len(queue)} requests", run


def pytorch(images):
    import torch

    torch.set_num_threads(1)
    model = torch.jit.freeze(torch.jit.script(network()))
    images = [torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 for image in images]

    def worker(seconds):
        start, count = time.perf_counter(), 0
        with torch.inference_mode():
            while time.perf_counter() - start < seconds:
                model(images[count % len(images)])
                count += 1
        return count / (time.perf_counter() - start)

    def run(seconds):
        with ThreadPoolExecutor(CORES) as pool:
            return sum(pool.map(worker, [seconds] * CORES))

    return f"PyTorch {torch.__version__}", run


def keras(images):
    import keras

    model = keras.applications.ResNet50(weights=None, include_top=False, pooling="avg")
    batch = np.stack(images).astype(np.float32)

    def run(seconds):
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            model.predict_on_batch(batch)
            count += len(batch)
        return count / (time.perf_counter() - start)

    return f"Keras {keras.__version__}", run


def main():
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "prepare":
        return prepare(folder)
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (CROP, CROP, 3), dtype=np.uint8) for _ in range(8)]
    peers = {
        "openvino-int8": lambda: openvino(folder, "int8", images),
        "openvino-f32": lambda: openvino(folder, "f32", images),
        "pytorch": lambda: pytorch(images),
        "keras": lambda: keras(images),
    }
    name, run = peers[what]()
    run(0.3)
    print(name, flush=True)
    for line in sys.stdin:
        print(run(float(line)), flush=True)


if __name__ == "__main__":
    main()
