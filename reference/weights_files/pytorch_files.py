"""Writes pytorch/, and what PyTorch gives with these files."""

import argparse
import io
import pickle
import struct
import tarfile
import warnings
from pathlib import Path

import numpy
import safetensors.torch
import torch
import torchvision

from network import CLASSES, STAGES, STEM, picture, values

MEAN = torch.tensor([0.485, 0.456, 0.406])
DEVIATION = torch.tensor([0.229, 0.224, 0.225])


class Network(torchvision.models.ResNet):
    """torchvision's ResNet with a narrow stem."""

    def __init__(self):
        super().__init__(torchvision.models.resnet.Bottleneck, [blocks for blocks, _ in STAGES], CLASSES)
        self.conv1 = torch.nn.Conv2d(3, STEM, 7, 2, 3, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(STEM)
        self.inplanes = STEM
        for stage, (blocks, channels) in enumerate(STAGES):
            layer = self._make_layer(
                torchvision.models.resnet.Bottleneck, channels, blocks, 1 if stage == 0 else 2
            )
            setattr(self, f"layer{stage + 1}", layer)
        self.fc = torch.nn.Linear(STAGES[-1][1] * 4, CLASSES)
        state = {}
        for name, tensor in self.state_dict().items():
            generator = numpy.random.default_rng(list(name.encode()))
            last = name.split(".")[-1]
            if last == "num_batches_tracked":
                state[name] = torch.tensor(7)
                continue
            kind = last
            if last == "weight":
                kind = "kernel" if tensor.ndim > 1 else ("last gamma" if ".bn3." in name else "gamma")
            shape = tuple(tensor.shape)
            if kind == "kernel":
                # `values` counts the inputs of Keras' layout, output channels last.
                array = numpy.moveaxis(values(kind, shape[1:] + shape[:1], generator), -1, 0)
            else:
                array = values(kind, shape, generator)
            state[name] = torch.from_numpy(numpy.ascontiguousarray(array))
        self.load_state_dict(state)
        self.eval()


def write_tar(path, state):
    """The container of PyTorch before 0.1.10, which `torch.load` still reads (`_legacy_load` in `torch/serialization.py`)."""
    tensors = list(state.values())
    storages, table = io.BytesIO(), io.BytesIO()
    pickle.dump(len(tensors), storages, 2)
    pickle.dump(len(tensors), table, 2)
    for key, tensor in enumerate(tensors):
        storage_type = torch.LongStorage if tensor.dtype == torch.int64 else torch.FloatStorage
        pickle.dump((key, "cpu", storage_type), storages, 2)
        storages.write(struct.pack("<q", tensor.numel()) + tensor.contiguous().numpy().tobytes())
        tensor_type = torch.LongTensor if tensor.dtype == torch.int64 else torch.FloatTensor
        pickle.dump((key, key, tensor_type), table, 2)
        numbers = [*tensor.shape, *tensor.contiguous().stride(), 0]
        table.write(struct.pack("<ii", tensor.ndim, 0) + struct.pack(f"<{len(numbers)}q", *numbers))
    pickle.dump([], storages, 2)

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return next((key for key, tensor in enumerate(tensors) if tensor is value), None)

    root = io.BytesIO()
    Pickler(root, 2).dump(dict(state))
    info = pickle.dumps({"protocol_version": 1000, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 8}}, 2)
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in [("sys_info", info), ("pickle", root.getvalue()), ("tensors", table.getvalue()), ("storages", storages.getvalue())]:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def write(folder):
    network = Network()
    state = network.state_dict()
    torch.save(state, folder / "zip.pth")
    torch.save(state, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    write_tar(folder / "tar.pth", state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = torch.load(folder / "tar.pth", weights_only=False)
    assert read.keys() == state.keys() and all(torch.equal(read[name], state[name]) for name in state)
    parallel = {"module." + name: tensor for name, tensor in state.items()}
    torch.save({"epoch": 3, "state_dict": parallel}, folder / "state_dict.pth")
    torch.save({"model_state_dict": state, "loss": 0.25}, folder / "model_state_dict.pth")
    torch.save(network.half().state_dict(), folder / "f16.pth")
    torch.save(network.bfloat16().state_dict(), folder / "bf16.pth")
    network = Network()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.zeros(1, 3, 33, 33)).sum().backward()
    optimiser.step()
    network = Network()
    checkpoint = {
        "model": network.state_dict(),
        "optimizer": optimiser.state_dict(),
        "lr_scheduler": {"last_epoch": 3},
        "epoch": 3,
        "args": argparse.Namespace(arch="resnet", epochs=90, output_dir=Path("checkpoints")),
    }
    torch.save(checkpoint, folder / "checkpoint.pth")
    torch.save(network, folder / "whole_model.pth")
    network.to(memory_format=torch.channels_last)
    torch.save(network.state_dict(), folder / "channels_last.pth")
    safetensors.torch.save_file(Network().state_dict(), folder / "plain.safetensors", {"format": "pt"})

    network = Network()
    pixels = torch.from_numpy(picture()).float() / 255
    pixels = ((pixels - MEAN) / DEVIATION).permute(2, 0, 1)[None]
    with torch.no_grad():
        logits = network(pixels)[0]
        network.fc = torch.nn.Identity()
        features = network(pixels)[0]
    return {"features": features.numpy(), "logits": logits.numpy()}
