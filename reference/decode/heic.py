"""Writes `heic.csv` and the HEIC files in `photos/`, with what libheif makes of them in `expected/`.

    python reference/decode/heic.py

The rows are those of `cases.csv`. The pictures are drawn here and coded by x265, both through pillow-heif; grids of tiles,
crops and turns, which it does not write, are put together here. Differences that are allowed: 1 for other rounding, and 3
above 8 bits, where libheif drops the lower bits before it converts the colours and topwork does so after it.

Turned and cropped pictures have even sizes and places: of others libheif interpolates the colours before it turns them, and
repeats them elsewhere.
"""

import csv
import io
import pathlib
import struct
import zlib

import numpy as np
import pillow_heif
from PIL import Image

HERE = pathlib.Path(__file__).parent
ROWS = []
pillow_heif.register_heif_opener(thumbnails=True)


def scene(width, height):
    """Smooth colours with an edge and a spot, so that a shift, a swap or a mirror is seen."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 40 + 170 * x / max(1, width - 1)
    green = 200 - 150 * y / max(1, height - 1)
    blue = 90 + 60 * np.sin((x + 2 * y) / 5)
    pixels = np.stack([red, green, blue], -1)
    pixels[(x < width / 3) & (y < height / 4)] = (220, 30, 40)
    return Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))


def add(name, data, tolerance=1, pixels=None):
    (HERE / "photos" / name).write_bytes(data)
    if pixels is None:
        image = Image.open(io.BytesIO(data))
        pixels = over_white(image) if image.mode == "RGBA" else np.asarray(image.convert("RGB"))
    Image.fromarray(pixels).save(HERE / "expected" / f"{name}.png", optimize=True)
    height, width = pixels.shape[:2]
    ROWS.append([name, width, height, f"{zlib.crc32(np.ascontiguousarray(pixels).tobytes()):08x}", tolerance])


def over_white(image):
    samples = np.asarray(image).astype(np.int64)
    colours, alpha = samples[..., :3], samples[..., 3:]
    return ((colours * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def encoded(image, **options):
    file = io.BytesIO()
    image.save(file, "HEIF", **{"quality": 85, **options})
    return file.getvalue()


def of_16_bits(image, **options):
    file = io.BytesIO()
    samples = np.asarray(image).astype(np.uint16) * 257
    pillow_heif.from_bytes("RGB;16", image.size, samples.tobytes()).save(file, quality=85, **options)
    return file.getvalue()


def box(kind, *parts, full=None):
    body = (b"" if full is None else struct.pack(">I", full)) + b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def boxes(data, start, end):
    while start < end:
        size, kind = struct.unpack(">I4s", data[start:start + 8])
        yield kind, start, start + size
        start += size


def find(data, start, end, wanted):
    return next((start, end) for kind, start, end in boxes(data, start, end) if kind == wanted)


def coded(heic):
    """The properties of a file with one picture, and its coded data."""
    start, end = find(heic, 0, len(heic), b"meta")
    inner = find(heic, start + 12, end, b"iprp")
    inner = find(heic, inner[0] + 8, inner[1], b"ipco")
    properties = [(kind, heic[start:end]) for kind, start, end in boxes(heic, inner[0] + 8, inner[1])]
    start, end = find(heic, 0, len(heic), b"mdat")
    # Nothing else is in there.
    return properties, heic[start + 8:end]


def grid(image, tile, turns=(), colours=True, large=False, **options):
    """A photo of tiles, as phones write it."""
    width, height = image.size
    columns, rows = -(-width // tile), -(-height // tile)
    edges = ((0, rows * tile - height), (0, columns * tile - width), (0, 0))
    pixels = np.pad(np.asarray(image), edges, mode="edge")
    tiles = [Image.fromarray(pixels[row * tile:(row + 1) * tile, column * tile:(column + 1) * tile])
             for row in range(rows) for column in range(columns)]
    parts = [coded(encoded(part, **options)) for part in tiles]
    kept = [b"hvcC", b"colr"] if colours else [b"hvcC"]
    shared = [content for kind, content in parts[0][0] if kind in kept]
    return container([data for _, data in parts], shared, (tile, tile), (columns, rows), image.size, turns, large)


def container(data, shared, tile_size, shape, size, turns, large):
    count = len(data)
    description = struct.pack(">BBBBII" if large else ">BBBBHH", 0, int(large), shape[1] - 1, shape[0] - 1, *size)
    infos = [box(b"infe", struct.pack(">HH4s", item + 1, 0, b"hvc1"), b"\0", full=0x02000001) for item in range(count)]
    infos.append(box(b"infe", struct.pack(">HH4s", count + 1, 0, b"grid"), b"\0", full=0x02000000))
    sizes = [box(b"ispe", struct.pack(">II", *size), full=0) for size in (tile_size, size)]
    properties = [*sizes, *shared, *turns]
    of_tiles = [1] + [0x80 | 3 + at for at in range(len(shared))]
    of_grid = [2] + [0x80 | 3 + len(shared) + at for at in range(len(turns))]
    associations = [struct.pack(">HB", item + 1, len(of_tiles)) + bytes(of_tiles) for item in range(count)]
    associations.append(struct.pack(">HB", count + 1, len(of_grid)) + bytes(of_grid))
    references = struct.pack(f">HH{count}H", count + 1, count, *range(1, count + 1))
    kind = box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def index(start):
        places = []
        for item, part in enumerate(data):
            places.append(struct.pack(">HHHHII", item + 1, 0, 0, 1, start, len(part)))
            start += len(part)
        places.append(struct.pack(">HHHHII", count + 1, 1, 0, 1, 0, len(description)))
        return box(
            b"meta",
            box(b"hdlr", b"\0\0\0\0pict" + b"\0" * 13, full=0),
            box(b"pitm", struct.pack(">H", count + 1), full=0),
            box(b"iinf", struct.pack(">H", count + 1), *infos, full=0),
            box(b"iref", box(b"dimg", references), full=0),
            box(b"iprp", box(b"ipco", *properties),
                box(b"ipma", struct.pack(">I", count + 1), *associations, full=0)),
            box(b"idat", description),
            box(b"iloc", b"\x44\0", struct.pack(">H", count + 1), *places, full=0x01000000),
            full=0,
        )

    return kind + index(len(kind) + len(index(0)) + 8) + box(b"mdat", *data)


def turn(quarters):
    return box(b"irot", bytes([quarters]))


def mirror(axis):
    return box(b"imir", bytes([axis]))


def crop(width, height, across, down):
    return box(b"clap", struct.pack(">8I", width, 1, height, 1, across % 2**32, 2, down % 2**32, 2))


def orientation(value):
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()


def main():
    even, odd = scene(38, 30), scene(37, 29)
    for chroma in ("420", "422", "444"):
        add(f"picture-{chroma}.heic", encoded(odd, chroma=int(chroma)))
    add("picture-lossless.heic", encoded(odd, quality=-1, chroma=444, matrix_coefficients=0))
    add("picture-grey.heic", encoded(odd.convert("L")))
    add("picture-grey-limited.heic", encoded(odd.convert("L"), full_range_flag=0))
    for size in ((1, 1), (2, 3), (40, 1), (1, 40), (65, 63)):
        add(f"picture-{size[0]}x{size[1]}.heic", encoded(scene(*size)))
    for matrix in (1, 6, 9):
        for full in (0, 1):
            options = {"matrix_coefficients": matrix, "full_range_flag": full}
            add(f"matrix-{matrix}-{'full' if full else 'limited'}.heic", encoded(even, **options))
    pillow_heif.options.SAVE_HDR_TO_12_BIT = False
    add("picture-10-bits.heic", of_16_bits(odd), 3)
    add("picture-10-bits-444.heic", of_16_bits(odd, chroma=444), 1)
    pillow_heif.options.SAVE_HDR_TO_12_BIT = True
    add("picture-12-bits.heic", of_16_bits(odd), 3)

    transparent = odd.copy()
    transparent.putalpha(Image.linear_gradient("L").resize(odd.size))
    add("opacity.heic", encoded(transparent))
    for value in range(1, 9):
        add(f"orientation-{value}.heic", encoded(even, exif=orientation(value)))
    # The container says upright, and the camera's note another thing: the container counts.
    told = encoded(even, exif=orientation(1))
    note = b"\x12\x01\x03\x00\x01\x00\x00\x00"
    if told.count(note + b"\x01") != 1:
        note = b"\x01\x12\x00\x03\x00\x00\x00\x01\x00"
    assert told.count(note + b"\x01") == 1
    add("orientation-in-exif-alone.heic", told.replace(note + b"\x01", note + b"\x06"))
    add("thumbnail.heic", encoded(scene(150, 100), thumbnails=[64]))
    add("with-bytes-behind.heic", encoded(odd) + b"\0\x01two\xffbytes and some more")

    photo = scene(150, 100)
    add("grid.heic", grid(photo, 64))
    add("grid-odd.heic", grid(scene(131, 65), 64))
    add("grid-large-numbers.heic", grid(photo, 64, large=True))
    add("grid-444.heic", grid(photo, 64, chroma=444))
    # The colours are described in the coded data alone.
    add("grid-described-inside.heic", grid(photo, 64, colours=False))
    add("grid-described-inside-limited.heic", grid(photo, 64, colours=False, full_range_flag=0))
    for quarters in (1, 2, 3):
        add(f"grid-turned-{quarters}.heic", grid(photo, 64, [turn(quarters)]))
    for axis in (0, 1):
        add(f"grid-turned-1-mirrored-{axis}.heic", grid(photo, 64, [turn(1), mirror(axis)]))
        add(f"grid-mirrored-{axis}-turned-1.heic", grid(photo, 64, [mirror(axis), turn(1)]))
    add("grid-cropped.heic", grid(photo, 64, [crop(90, 50, 20, -12)], chroma=444))
    add("grid-cropped-turned.heic", grid(photo, 64, [crop(101, 51, -3, -41), turn(1), mirror(1)], chroma=444))

    with open(HERE / "heic.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "width", "height", "crc32", "tolerance"])
        writer.writerows(ROWS)


main()
