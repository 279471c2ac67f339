"""Writes keras/, and what Keras gives with these files."""

import os
import re

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import h5py
import keras
import numpy
from keras import layers
from keras.src.applications import resnet as keras_resnet
from keras.src.legacy.saving import legacy_h5_format

from network import CLASSES, HEIGHT, STAGES, STEM, WIDTH, picture, values

CAFFE = numpy.array([103.939, 116.779, 123.68], numpy.float32)


def network(top=True, pooling=None, layer_name=lambda name: name):
    """Keras' ResNet (`applications/resnet.py`), its own blocks, with a narrow stem; without its last softmax."""
    image = keras.Input((HEIGHT, WIDTH, 3))
    x = layers.ZeroPadding2D(3, name="conv1_pad")(image)
    x = layers.Conv2D(STEM, 7, strides=2, name="conv1_conv")(x)
    x = layers.BatchNormalization(epsilon=1.001e-5, name="conv1_bn")(x)
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, (blocks, channels) in enumerate(STAGES):
        stride = 1 if stage == 0 else 2
        x = keras_resnet.stack_residual_blocks_v1(x, channels, blocks, stride1=stride, name=f"conv{stage + 2}")
    if top or pooling:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    if top:
        x = layers.Dense(CLASSES, name="predictions")(x)
    model = keras.Model(image, x, name="resnet")
    for layer in model.layers:
        generator = numpy.random.default_rng(list(layer.name.encode()))
        weights = []
        for variable in layer.weights:
            name = variable.name
            if name == "gamma" and layer.name.endswith("3_bn"):
                name = "last gamma"
            weights.append(values(name, variable.shape, generator))
        if layer.name == "conv1_conv":
            # Pixels go up to 150: what follows is to be of the size of 1.
            weights[0] /= 64
        layer.set_weights(weights)
    for layer in model.layers:
        layer.name = layer_name(layer.name)
    return model


def early(name):
    """The names of 2016 to 2018."""
    place = re.fullmatch(r"conv(\d)_block(\d)_(\d)_(conv|bn)", name)
    if not place:
        return {"conv1_conv": "conv1", "conv1_bn": "bn_conv1", "predictions": "fc1000"}.get(name, name)
    stage, block, number, kind = place.groups()
    branch = ["1", "2a", "2b", "2c"][int(number)]
    return f"{'res' if kind == 'conv' else 'bn'}{stage}{'abcdef'[int(block) - 1]}_branch{branch}"


def write_legacy(path, model, limit=64512):
    """What Keras 2's `save_weights` wrote: the layers at the root, weights named `layer/kernel:0`. Lists above the limit are split."""
    legacy_h5_format.HDF5_OBJECT_HEADER_LIMIT = limit
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    legacy_h5_format.HDF5_OBJECT_HEADER_LIMIT = 64512


def rename_weights(path, rename):
    """Renames the weights in each layer's list, and the data sets with them."""
    with h5py.File(path, "r+") as file:
        for layer in list(file):
            group = file[layer]
            names = [name.decode() if isinstance(name, bytes) else name for name in group.attrs["weight_names"]]
            renamed = [rename(layer, name) for name in names]
            if not names:
                continue
            data = [group[name][...] for name in names]
            for key in list(group):
                del group[key]
            for name, array in zip(renamed, data):
                group[name] = array
            group.attrs["weight_names"] = [name.encode() for name in renamed]


KERAS1 = {"kernel": "W", "bias": "b", "gamma": "gamma", "beta": "beta", "moving_mean": "running_mean", "moving_variance": "running_std"}


def write(folder):
    model, no_top = network(), network(top=False)
    write_legacy(folder / "legacy.h5", model)
    rename_weights(folder / "legacy.h5", lambda layer, name: name + ":0")
    write_legacy(folder / "legacy_without_top.h5", no_top)
    write_legacy(folder / "legacy_split.h5", model, limit=160)
    model.save(folder / "legacy_model.h5")
    write_legacy(folder / "early.h5", network(layer_name=early))
    rename_weights(folder / "early.h5", lambda layer, name: f"{layer}/{name.split('/')[-1]}:0")
    write_legacy(folder / "early_keras1.h5", network(top=False, layer_name=early))
    rename_weights(folder / "early_keras1.h5", lambda layer, name: f"{layer}_{KERAS1[name.split('/')[-1]]}_1:0")

    image = keras.Input((HEIGHT, WIDTH, 3))
    base = network(top=False, pooling="avg")
    nested = keras.Model(image, layers.Dense(2)(base(image)))
    nested.save(folder / "legacy_nested.h5")
    nested.save_weights(folder / "nested.weights.h5")
    nested.save(folder / "nested.keras")
    model.save_weights(folder / "whole.weights.h5")
    model.save(folder / "whole.keras")
    no_top.save_weights(folder / "without_top.weights.h5")
    sequential = keras.Sequential(
        [image, network(top=False), layers.GlobalAveragePooling2D(), layers.Dense(16), layers.Dense(2)]
    )
    sequential.save_weights(folder / "sequential.weights.h5")
    extended = network(top=False, pooling="avg")
    keras.Model(extended.input, layers.Dense(3)(extended.output)).save_weights(folder / "extended.weights.h5")
    # HDF5 has four versions of its superblock; `libver` chooses between the oldest and the newest.
    for name, libver in [("superblock2", ("v108", "v108")), ("superblock3", "latest")]:
        with h5py.File(folder / "legacy.h5") as old, h5py.File(folder / f"{name}.h5", "w", libver=libver) as new:
            for key, value in old.attrs.items():
                new.attrs[key] = value
            for key in old:
                old.copy(key, new)

    features = keras.Model(model.input, model.get_layer("avg_pool").output)
    pixels = picture().astype(numpy.float32)[None] - CAFFE
    return {"features": features.predict(pixels, verbose=0)[0], "logits": model.predict(pixels, verbose=0)[0]}
