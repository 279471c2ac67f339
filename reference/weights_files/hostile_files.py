"""Writes hostile/."""

import os
import struct
import zipfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import h5py
import keras
import numpy
from keras import layers


def one_layer(file, data=None, **options):
    """A file with the list of one layer, whose weights are this data set."""
    file.attrs["layer_names"] = [b"predictions"]
    group = file.create_group("predictions")
    group.attrs["weight_names"] = [b"predictions/kernel", b"predictions/bias"]
    inner = group.create_group("predictions")
    if data is not None or options:
        inner.create_dataset("kernel", data=data, **options)
    inner["bias"] = numpy.zeros(5, numpy.float32)
    return inner


def write(folder):
    """HDF5 files that are not what Keras writes: each would be read as one layer, but for what its name says."""

    def new(name, **options):
        return h5py.File(folder / f"{name}.h5", "w", **options)

    good = numpy.arange(160, dtype=numpy.float32).reshape(32, 5) / 16
    with new("good") as file:
        one_layer(file, good)
    with new("external_link") as file:
        one_layer(file)["kernel"] = h5py.ExternalLink("/etc/passwd", "/kernel")
    with new("soft_link") as file:
        one_layer(file)["kernel"] = h5py.SoftLink("/elsewhere/kernel")
    with new("soft_link_cycle") as file:
        one_layer(file)["kernel"] = h5py.SoftLink("/predictions/predictions/kernel")
    with new("cycle") as file:
        inner = one_layer(file, good)
        inner["again"] = file["predictions"]
    with new("cycle_latest", libver="latest") as file:
        inner = one_layer(file, good)
        inner["again"] = file["predictions"]
    with new("external_storage") as file:
        one_layer(file, None, shape=(32, 5), dtype="f4", external=[("/etc/passwd", 0, 640)])
    with new("virtual") as file:
        layout = h5py.VirtualLayout((32, 5), "f4")
        layout[:] = h5py.VirtualSource("/etc/passwd", "kernel", (32, 5))
        one_layer(file).create_virtual_dataset("kernel", layout)
    with new("deflate") as file:
        one_layer(file, good, compression="gzip")
    with new("unknown_filter") as file:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk((32, 5))
        creation.set_filter(32999, h5py.h5z.FLAG_OPTIONAL, ())
        inner = one_layer(file)
        h5py.h5d.create(inner.id, b"kernel", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((32, 5)), creation)
    with new("huge") as file:
        one_layer(file, None, shape=(1 << 40, 5), dtype="f4")
    with new("huge_chunked") as file:
        one_layer(file, None, shape=(1 << 40, 5), dtype="f4", chunks=(1 << 20, 5))
    with new("never_written") as file:
        one_layer(file, None, shape=(32, 5), dtype="f4")
    with new("integers") as file:
        one_layer(file, good.astype("i4"))
    with new("f64") as file:
        one_layer(file, good.astype("f8"))
    with new("big_endian") as file:
        one_layer(file, good.astype(">f4"))
    with new("not_finite") as file:
        one_layer(file, numpy.where(good == 1, numpy.nan, good).astype("f4"))
    with new("strings") as file:
        one_layer(file, numpy.array([b"kernel"] * 32))
    with new("compound") as file:
        one_layer(file, numpy.zeros(32, [("real", "f4"), ("imaginary", "f4")]))
    with new("group_for_data") as file:
        one_layer(file).create_group("kernel")
    with new("missing_data") as file:
        one_layer(file)
    with new("missing_layer") as file:
        one_layer(file, good)
        file.attrs["layer_names"] = [b"predictions", b"fc1000"]
    with new("missing_list") as file:
        one_layer(file, good)
        del file["predictions"].attrs["weight_names"]
    with new("names_upwards") as file:
        one_layer(file, good)
        file["predictions"].attrs["weight_names"] = [b"../../predictions/kernel"]
    with new("names_of_numbers") as file:
        one_layer(file, good)
        file.attrs["layer_names"] = [1, 2, 3]
    with new("names_twice") as file:
        one_layer(file, good)
        file.attrs["layer_names"] = [b"predictions", b"predictions"]
    with new("names_long") as file:
        one_layer(file, good)
        file.attrs.create("layer_names", ["x" * 100_000] + ["predictions"] * 2_999, dtype=h5py.string_dtype())
    # All of the 3,000 names become the first one: a length, the address of a heap, and a number in it.
    data = (folder / "names_long.h5").read_bytes()
    first = data.index(struct.pack("<I", 100_000))
    data = data[:first] + data[first : first + 16] * 3_000 + data[first + 48_000 :]
    (folder / "names_long.h5").write_bytes(data)
    with new("deep") as file:
        group = file
        for _ in range(1_000):
            group = group.create_group("g")
        group["vars"] = good
    with new("deep_layers", libver="latest") as file:
        group = file.create_group("layers")
        for _ in range(200):
            group = group.create_group("g")
        group.create_group("vars")["0"] = good
    with new("no_tensors") as file:
        file.attrs["note"] = "nothing here"

    # A layer whose function would write a file, if anything ran it.
    model = keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x if open("lambda-ran", "w") else x, output_shape=(4,)), layers.Dense(5, name="predictions")])
    model.save(folder / "lambda.h5")
    model.save(folder / "lambda.keras")
    Path("lambda-ran").unlink(missing_ok=True)
    with zipfile.ZipFile(folder / "without_weights.keras", "w") as archive:
        archive.writestr("config.json", "{}")
