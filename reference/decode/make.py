"""Writes `cases.csv` and the small photos in `photos/`: files of all kinds, with what a good decoder makes of them.

    python reference/decode/make.py

Each row: the file, the width and height upright, the CRC-32 of the RGB bytes, and the difference that is allowed; where
that is not zero, the bytes are in `expected/` as PNG. The pixels of a JPEG and of a lossy WebP come from Pillow, which
is built with libjpeg-turbo and libwebp; most others are drawn here, so they are known without a decoder.
"""

import csv
import io
import pathlib
import struct
import zlib

import cv2
import numpy as np
import PIL
from PIL import Image

HERE = pathlib.Path(__file__).parent
ROWS = []


def scene(width, height):
    """Smooth colours with an edge and a spot, so that a shift, a swap or a mirror is seen."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 40 + 170 * x / max(1, width - 1)
    green = 200 - 150 * y / max(1, height - 1)
    blue = 90 + 60 * np.sin((x + 2 * y) / 5)
    pixels = np.stack([red, green, blue], -1)
    pixels[(x < width / 3) & (y < height / 4)] = (220, 30, 40)
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)


def add(name, data, pixels, tolerance=0):
    (HERE / "photos" / name).write_bytes(data)
    pixels = np.ascontiguousarray(pixels, np.uint8)
    height, width = pixels.shape[:2]
    if tolerance:
        Image.fromarray(pixels).save(HERE / "expected" / f"{name}.png", optimize=True)
    ROWS.append([name, width, height, f"{zlib.crc32(pixels.tobytes()):08x}", tolerance])


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pillow(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def exif(value, order="<", kind=3):
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    stored = struct.pack(order + "HH", value, 0) if kind == 3 else struct.pack(order + "I", value)
    return header + struct.pack(order + "HHHI", 1, 0x0112, kind, 1) + stored + struct.pack(order + "I", 0)


def upright(pixels, value):
    turns = {2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1], 5: lambda p: p.swapaxes(0, 1),
             6: lambda p: np.rot90(p, -1), 7: lambda p: p[::-1, ::-1].swapaxes(0, 1), 8: lambda p: np.rot90(p)}
    return turns.get(value, lambda p: p)(pixels)


def jpeg(name, data, tolerance=3):
    add(name, data, pillow(data), tolerance=tolerance)


def jpegs():
    image = Image.fromarray(scene(37, 29))
    for sampling, label in [(0, "444"), (1, "422"), (2, "420")]:
        for progressive in (False, True):
            for restarts in (0, 2):
                kind = "progressive" if progressive else "baseline"
                name = f"{kind}-{label}{'-restarts' if restarts else ''}.jpg"
                options = {"restart_marker_blocks": restarts} if restarts else {}
                jpeg(name, encoded(image, "JPEG", quality=88, subsampling=sampling, progressive=progressive, **options))
    for sampling, label in [(0x411111, "411"), (0x121111, "440")]:
        for progressive in (0, 1):
            options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
            data = cv2.imencode(".jpg", scene(37, 29)[:, :, ::-1], options)[1].tobytes()
            jpeg(f"{'progressive' if progressive else 'baseline'}-{label}.jpg", data)
    # Up to four columns, libjpeg-turbo repeats the chroma instead of interpolating it; at other borders zune-jpeg
    # weighs the last chroma sample otherwise.
    for size, tolerance in [((1, 1), 3), ((1, 40), 52), ((40, 1), 3), ((8, 8), 10), ((9, 17), 3), ((16, 16), 3)]:
        data = encoded(Image.fromarray(scene(*size)), "JPEG", quality=90, subsampling=2)
        jpeg(f"size-{size[0]}x{size[1]}.jpg", data, tolerance)
    jpeg("large-progressive-restarts.jpg", encoded(Image.fromarray(scene(120, 90)), "JPEG", quality=80, progressive=True,
                                                   restart_marker_rows=1), tolerance=8)
    jpeg("grey.jpg", encoded(image.convert("L"), "JPEG", quality=90))
    jpeg("grey-progressive.jpg", encoded(image.convert("L"), "JPEG", quality=90, progressive=True))
    jpeg("rgb.jpg", encoded(image, "JPEG", quality=90, keep_rgb=True))
    jpeg("cmyk.jpg", encoded(image.convert("CMYK"), "JPEG", quality=92), tolerance=4)
    plain = encoded(image, "JPEG", quality=88)
    add("no-end.jpg", plain[:-2], pillow(plain), tolerance=3)
    jpeg("trailing-bytes.jpg", plain + b"\0trailing bytes\xff\xd8\xff" * 9)
    jpeg("extraneous-bytes.jpg", plain[:-2] + bytes(99) + plain[-2:])
    jpeg("bytes-between-segments.jpg", plain[:20] + b"stray" + plain[20:])
    jpeg("unknown-jfif-revision.jpg", plain[:11] + b"\x09\x09" + plain[13:])
    camera = plain[:2] + plain[20:]
    jpeg("no-jfif.jpg", camera)
    for value in range(1, 9):
        data = encoded(Image.fromarray(scene(24, 16)), "JPEG", quality=90, exif=b"Exif\0\0" + exif(value, "<>"[value % 2]))
        add(f"orientation-{value}.jpg", data, upright(pillow(data), value), tolerance=3)
    for name, block in [("0", exif(0)), ("9", exif(9)), ("65535", exif(65535)),
                        ("loop", b"II*\0\x08\0\0\0\xff\xff"), ("beyond", b"MM\0*\xff\xff\xff\xff")]:
        data = encoded(Image.fromarray(scene(24, 16)), "JPEG", quality=90, exif=b"Exif\0\0" + block)
        add(f"orientation-invalid-{name}.jpg", data, pillow(data), tolerance=3)
    data = encoded(Image.fromarray(scene(24, 16)), "JPEG", quality=90, exif=b"Exif\0\0" + exif(6, kind=4))
    add("orientation-long.jpg", data, upright(pillow(data), 6), tolerance=3)


def written(planes, size, samplings, adobe=None):
    """A baseline JPEG of planes that are sampled as no common program does it; all Huffman codes have one length."""
    zigzag = sorted(((v, u) for v in range(8) for u in range(8)), key=lambda at: (sum(at), at[sum(at) % 2]))
    waves = np.array([[np.cos((2 * x + 1) * u * np.pi / 16) * (0.5 if u else 0.125**0.5) for x in range(8)]
                      for u in range(8)])
    symbols = [0, 0xF0] + [run << 4 | bits for run in range(16) for bits in range(1, 11)]
    stream = []

    def put(value, count):
        stream.append(format(value, f"0{count}b") if count else "")

    def put_number(value, count):
        put(value if value >= 0 else value + (1 << count) - 1, count)

    def put_block(block, before):
        values = np.round(waves @ (block - 128.0) @ waves.T).astype(int)
        values = [int(values[at]) for at in zigzag]
        step = values[0] - before
        put(abs(step).bit_length(), 4)
        put_number(step, abs(step).bit_length())
        run = 0
        for value in values[1:]:
            if value == 0:
                run += 1
                continue
            for _ in range(run // 16):
                put(symbols.index(0xF0), 8)
            put(symbols.index((run % 16) << 4 | abs(value).bit_length()), 8)
            put_number(value, abs(value).bit_length())
            run = 0
        if run:
            put(symbols.index(0), 8)
        return values[0]

    width, height = size
    most = [max(sampling[axis] for sampling in samplings) for axis in (0, 1)]
    across, down = -(-width // (8 * most[0])), -(-height // (8 * most[1]))
    small = []
    for plane, (h, v) in zip(planes, samplings):
        y, x = np.mgrid[0:down * v * 8, 0:across * h * 8]
        small.append(plane[np.minimum(y * most[1] // v, height - 1), np.minimum(x * most[0] // h, width - 1)])
    before = [0] * len(planes)
    for row in range(down):
        for column in range(across):
            for index, (h, v) in enumerate(samplings):
                for y in range(row * v, row * v + v):
                    for x in range(column * h, column * h + h):
                        block = small[index][y * 8:y * 8 + 8, x * 8:x * 8 + 8]
                        before[index] = put_block(block, before[index])
    stream = "".join(stream)
    stream += "1" * (-len(stream) % 8)
    data = bytes(int(stream[at:at + 8], 2) for at in range(0, len(stream), 8)).replace(b"\xff", b"\xff\0")

    def segment(marker, content):
        return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content

    count = bytes([len(planes)])
    frame = b"".join(bytes([index + 1, h << 4 | v, 0]) for index, (h, v) in enumerate(samplings))
    codes = bytes([0, 0, 0, 0, 12] + [0] * 12) + bytes(range(12))
    codes += bytes([0x10] + [0] * 7 + [len(symbols)] + [0] * 8) + bytes(symbols)
    return b"".join([
        b"\xff\xd8", segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe])) if adobe is not None else b"",
        segment(0xDB, b"\0" + b"\1" * 64), segment(0xC0, b"\x08" + struct.pack(">HH", height, width) + count + frame),
        segment(0xC4, codes), segment(0xDA, count + b"".join(bytes([i + 1, 0]) for i in range(len(planes))) + b"\0\x3f\0"),
        data, b"\xff\xd9"])


def odd_jpegs():
    colours = np.asarray(Image.fromarray(scene(53, 29)).convert("YCbCr"))
    planes = [colours[:, :, index] for index in range(3)]
    one = [(1, 1)] * 2
    for name, samplings in [("1x1", [(1, 1)] + one), ("2x1", [(2, 1)] + one),
                            ("1x3", [(1, 3)] + one), ("4x2", [(4, 2)] + one),
                            ("1x4", [(1, 4)] + one), ("uneven", [(2, 2), (2, 1), (1, 2)]),
                            ("blue-only", [(2, 2), (1, 1), (2, 2)])]:
        jpeg(f"sampling-{name}.jpg", written(planes, (53, 29), samplings), tolerance=8)
    # zune-jpeg cannot decode three columns, and makes wrong pixels of chroma finer than luma.
    refused("sampling-3x1.jpg", written(planes, (53, 29), [(3, 1)] + one))
    refused("sampling-fine-chroma.jpg", written(planes, (53, 29), [(1, 1), (2, 2), (2, 2)]))
    # More than ten blocks a unit, and a ratio that is no whole number: libjpeg-turbo refuses them.
    refused("sampling-4x4.jpg", written(planes, (53, 29), [(4, 4)] + one))
    refused("sampling-3-to-2.jpg", written(planes, (53, 29), [(3, 1), (2, 1), (2, 1)]))
    key = 40 + np.mgrid[0:29, 0:53][1].astype(np.uint8) * 3
    for name, samplings in [("ycck", [(1, 1)] * 4), ("ycck-420", [(2, 2), (1, 1), (1, 1), (2, 2)])]:
        jpeg(f"{name}.jpg", written(planes + [key], (53, 29), samplings, adobe=2), tolerance=8)
    # Pillow refuses a second start marker, as its libjpeg-turbo does.
    plain = encoded(Image.fromarray(scene(37, 29)), "JPEG", quality=88)
    add("two-starts.jpg", b"\xff\xd8" + plain, pillow(plain), tolerance=3)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, lines, before=b"", after=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + bytes(line) for line in lines))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + after + chunk(b"IEND", b""))


def over_white(colour, alpha):
    colour, alpha = colour.astype(np.uint32), alpha.astype(np.uint32)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def packed(values, depth):
    bits = "".join(format(value, f"0{depth}b") for value in values)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at:at + 8], 2) for at in range(0, len(bits), 8))


def pngs():
    pixels = scene(13, 11)
    alpha = (np.arange(11 * 13).reshape(11, 13, 1) * 255 // 142).astype(np.uint8)
    grey = pixels[:, :, :1]
    add("rgb.png", encoded(Image.fromarray(pixels), "PNG"), pixels)
    add("png-named.jpg", encoded(Image.fromarray(pixels), "PNG"), pixels)
    add("rgba.png", png(13, 11, 8, 6, np.concatenate([pixels, alpha], -1).reshape(11, -1)), over_white(pixels, alpha))
    add("grey.png", png(13, 11, 8, 0, grey.reshape(11, -1)), grey.repeat(3, -1))
    add("grey-alpha.png", png(13, 11, 8, 4, np.concatenate([grey, alpha], -1).reshape(11, -1)),
        over_white(grey, alpha).repeat(3, -1))
    wide = pixels.astype(np.uint16) * 256 + 255 - pixels
    add("rgb-16.png", png(13, 11, 16, 2, [line.astype(">u2").tobytes() for line in wide.reshape(11, -1)]), pixels)
    add("grey-16.png", png(13, 11, 16, 0, [line.astype(">u2").tobytes() for line in wide[:, :, 0]]), grey.repeat(3, -1))
    for depth in (1, 2, 4):
        levels = grey[:, :, 0] >> (8 - depth)
        shown = (levels * (255 // (2**depth - 1)))[:, :, None].repeat(3, -1)
        add(f"grey-{depth}.png", png(13, 11, depth, 0, [packed(line, depth) for line in levels]), shown)
        palette = scene(16, 1)[0]
        add(f"palette-{depth}.png", png(13, 11, depth, 3, [packed(line, depth) for line in levels],
                                        chunk(b"PLTE", palette[: 2**depth].tobytes())), palette[levels])
        clear = np.array([0, 128, 255] + [255] * 13, np.uint8)
        add(f"palette-{depth}-transparent.png",
            png(13, 11, depth, 3, [packed(line, depth) for line in levels],
                chunk(b"PLTE", palette[: 2**depth].tobytes()) + chunk(b"tRNS", clear[: 2**depth].tobytes())),
            over_white(palette[levels], clear[levels][:, :, None]))
    key = pixels.copy()
    key[3, 4] = 255
    add("rgb-transparent-colour.png", png(13, 11, 8, 2, pixels.reshape(11, -1),
                                          chunk(b"tRNS", pixels[3, 4].astype(">u2").tobytes())),
        np.where((pixels == pixels[3, 4]).all(-1)[:, :, None], 255, pixels))
    add("interlaced.png", interlaced(pixels), pixels)
    add("animated.png", encoded(Image.fromarray(pixels), "PNG", save_all=True,
                                append_images=[Image.fromarray(255 - pixels)]), pixels)
    for value in range(2, 9):
        block = chunk(b"eXIf", exif(value))
        where = {"before": block} if value % 2 else {"after": block}
        add(f"orientation-{value}.png", png(13, 11, 8, 2, pixels.reshape(11, -1), **where), upright(pixels, value))

    # Animations: the picture itself is the first frame, or none; the frames come in any order.
    control = chunk(b"acTL", struct.pack(">II", 2, 0))

    def frame(number):
        return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 13, 11, 0, 0, 1, 10, 0, 0))

    other = zlib.compress(b"".join(b"\0" + bytes(line) for line in 255 - pixels.reshape(11, -1)))
    frames = {"in-order": (frame(0), frame(1) + chunk(b"fdAT", struct.pack(">I", 2) + other)),
              "beside": (b"", frame(0) + chunk(b"fdAT", struct.pack(">I", 1) + other)),
              "out-of-order": (frame(3), frame(1) + chunk(b"fdAT", struct.pack(">I", 0) + other))}
    for name, (before, after) in frames.items():
        animation = png(13, 11, 8, 2, pixels.reshape(11, -1), before=control + before, after=after)
        add(f"animation-{name}.png", animation, pixels)


def tiff(order, data, tags):
    """One page: the data from the eighth byte on, then the directory."""
    data += b"\0" * (len(data) % 2)
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data))
    directory = struct.pack(order + "H", len(tags))
    for tag, kind, count, value in tags:
        stored = struct.pack(order + "HH", value, 0) if (kind, count) == (3, 1) else struct.pack(order + "I", value)
        directory += struct.pack(order + "HHI", tag, kind, count) + stored
    return header + data + directory + struct.pack(order + "I", 0)


def refused(name, data):
    (HERE / "refused" / name).write_bytes(data)


def interlaced(pixels):
    lines = []
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        part = pixels[y0::dy, x0::dx]
        lines += [line.tobytes() for line in part.reshape(part.shape[0], -1)] if part.size else []
    height, width = pixels.shape[:2]
    data = png(width, height, 8, 2, lines)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return data[:8] + chunk(b"IHDR", header) + data[33:]


def others():
    pixels = scene(13, 11)
    image = Image.fromarray(pixels)
    few = image.quantize(16)
    shown = np.asarray(few.convert("RGB"))
    add("still.gif", encoded(few, "GIF"), shown)
    add("interlaced.gif", encoded(few, "GIF", interlace=1), shown)
    add("animated.gif", encoded(few, "GIF", save_all=True, append_images=[few.rotate(180)]), shown)
    see_through = few.copy()
    data = encoded(see_through, "GIF", transparency=3)
    rgba = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
    add("transparent.gif", data, np.where(rgba[:, :, 3:] == 0, 255, rgba[:, :, :3]))

    add("lossless.webp", encoded(image, "WEBP", lossless=True), pixels)
    lossy = encoded(image, "WEBP", quality=90)
    add("lossy.webp", lossy, pillow(lossy), tolerance=6)
    alpha = (np.arange(11 * 13).reshape(11, 13, 1) * 255 // 142).astype(np.uint8)
    data = encoded(Image.fromarray(np.concatenate([pixels, alpha], -1)), "WEBP", lossless=True, exact=True)
    add("alpha.webp", data, over_white(pixels, alpha))
    add("animated.webp", encoded(image, "WEBP", lossless=True, save_all=True, append_images=[image.rotate(180)]), pixels)
    for value in (3, 6):
        add(f"orientation-{value}.webp", encoded(image, "WEBP", lossless=True, exif=exif(value)), upright(pixels, value))

    add("rgb.bmp", encoded(image, "BMP"), pixels)
    add("grey.bmp", encoded(image.convert("L"), "BMP"), np.asarray(image.convert("L"))[:, :, None].repeat(3, -1))
    add("palette.bmp", encoded(few, "BMP"), shown)
    bits = image.convert("1")
    add("bits.bmp", encoded(bits, "BMP"), np.asarray(bits.convert("RGB")))
    # The fourth byte counts only where the header has a mask for it.
    add("rgbx.bmp", encoded(Image.fromarray(np.concatenate([pixels, alpha], -1)), "BMP"), pixels)
    rows = np.concatenate([pixels[::-1, :, ::-1], alpha[::-1]], -1).tobytes()
    header = struct.pack("<IiiHHIIiiII4I52x", 108, 13, 11, 1, 32, 3, 0, 0, 0, 0, 0, 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    add("rgba.bmp", b"BM" + struct.pack("<IHHI", 122 + len(rows), 0, 0, 122) + header + rows, over_white(pixels, alpha))
    header = struct.pack("<IiiHHIIiiII", 40, 13, -11, 1, 24, 0, 0, 0, 0, 0, 0)
    rows = b"".join(line[:, ::-1].tobytes() + b"\0" for line in pixels)
    add("top-first.bmp", b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + header + rows, pixels)
    levels = pixels.astype(np.uint32) >> 3
    words = (levels[:, :, 0] << 10 | levels[:, :, 1] << 5 | levels[:, :, 2]).astype("<u2")
    rows = b"".join(line.tobytes() + b"\0\0" for line in words[::-1])
    header = struct.pack("<IiiHHIIiiII", 40, 13, 11, 1, 16, 0, 0, 0, 0, 0, 0)
    add("555.bmp", b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + header + rows, levels * 255 // 31)
    indices = np.asarray(few)
    runs = b"".join(b"".join(bytes([1, value]) for value in line) + b"\0\0" for line in indices[::-1]) + b"\0\1"
    table = b"".join(bytes([b, g, r, 0]) for r, g, b in np.array(few.getpalette()[:48]).reshape(-1, 3))
    header = struct.pack("<IiiHHIIiiII", 40, 13, 11, 1, 8, 1, len(runs), 0, 0, len(table) // 4, 0)
    start = 54 + len(table)
    add("runs.bmp", b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + table + runs, shown)

    grey = image.convert("L")
    grey3 = np.asarray(grey)[:, :, None].repeat(3, -1)
    for compression in ("raw", "tiff_lzw", "tiff_deflate", "packbits"):
        add(f"rgb-{compression}.tif", encoded(image, "TIFF", compression=compression), pixels)
    add("grey.tif", encoded(grey, "TIFF"), grey3)
    add("bits.tif", encoded(bits, "TIFF"), np.asarray(bits.convert("RGB")))
    add("cmyk.tif", encoded(image.convert("CMYK"), "TIFF"), np.asarray(image.convert("CMYK").convert("RGB")))
    add("grey-16.tif", encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) * 256 + 99), "TIFF"), grey3)
    add("rgba.tif", encoded(Image.fromarray(np.concatenate([pixels, alpha], -1)), "TIFF"), over_white(pixels, alpha))
    add("palette.tif", encoded(few, "TIFF"), shown)
    for order in "<>":
        indices = np.asarray(few)
        rows = b"".join(packed(line, 4) for line in indices)
        map16 = b"".join(struct.pack(order + "H", value * 257) for value in np.array(few.getpalette()[:48]).reshape(-1, 3).T.ravel())
        tags = [(256, 3, 1, 13), (257, 3, 1, 11), (258, 3, 1, 4), (259, 3, 1, 1), (262, 3, 1, 3), (273, 4, 1, 8),
                (277, 3, 1, 1), (278, 3, 1, 11), (279, 4, 1, len(rows)), (320, 3, 48, 8 + len(rows))]
        add(f"palette-4-{'little' if order == '<' else 'big'}.tif", tiff(order, rows + map16, tags), shown)
    multiplied = np.concatenate([(pixels.astype(np.uint32) * alpha // 255).astype(np.uint8), alpha], -1)
    tags = [(256, 3, 1, 13), (257, 3, 1, 11), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8),
            (277, 3, 1, 4), (278, 3, 1, 11), (279, 4, 1, multiplied.size), (338, 3, 1, 1)]
    tags[2] = (258, 3, 4, 8 + multiplied.size)
    add("associated-alpha.tif", tiff("<", multiplied.tobytes() + struct.pack("<4H", 8, 8, 8, 8), tags),
        multiplied[:, :, :3] + (255 - alpha))
    planes = pixels.transpose(2, 0, 1)
    after = 8 + planes.size + planes.size % 2
    tags = [(256, 3, 1, 13), (257, 3, 1, 11), (258, 3, 3, after), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 3, after + 6),
            (277, 3, 1, 3), (278, 3, 1, 11), (279, 4, 3, after + 18), (284, 3, 1, 2)]
    sizes = struct.pack("<3H3I3I", 8, 8, 8, 8, 8 + 143, 8 + 286, 143, 143, 143)
    add("planes.tif", tiff("<", planes.tobytes() + b"\0" * (planes.size % 2) + sizes, tags), pixels)
    add("fax.tif", encoded(bits, "TIFF", compression="group4"), np.asarray(bits.convert("RGB")))
    strip = encoded(Image.fromarray(scene(53, 37)), "JPEG", quality=92, subsampling=2)
    after = 8 + len(strip) + len(strip) % 2
    tags = [(256, 3, 1, 53), (257, 3, 1, 37), (258, 3, 3, after), (259, 3, 1, 7), (262, 3, 1, 6), (273, 4, 1, 8),
            (277, 3, 1, 3), (278, 3, 1, 37), (279, 4, 1, len(strip)), (530, 3, 2, 2 | 2 << 16)]
    data = tiff("<", strip + b"\0" * (len(strip) % 2) + struct.pack("<3H", 8, 8, 8), tags)
    add("ycbcr-jpeg.tif", data, pillow(data), tolerance=4)
    refused("lab.tif", encoded(image.convert("LAB"), "TIFF"))
    refused("float.tif", encoded(image.convert("F"), "TIFF"))
    add("pages.tif", encoded(image, "TIFF", save_all=True, append_images=[image.rotate(180)]), pixels)
    for value in (2, 6):
        add(f"orientation-{value}.tif", encoded(image, "TIFF", tiffinfo={274: value}), upright(pixels, value))

    add("plain.ppm", b"P3\n# a comment\n13 11 255\n" + b" ".join(str(v).encode() for v in pixels.ravel()) + b"\n",
        pixels)
    add("raw.ppm", encoded(image, "PPM"), pixels)
    add("raw.pgm", encoded(grey, "PPM"), grey3)
    add("raw.pbm", encoded(bits, "PPM"), np.asarray(bits.convert("RGB")))
    wide = (np.asarray(image).astype(np.uint16) * 256 + 7).astype(">u2").tobytes()
    add("16.ppm", b"P6 13 11 65535\n" + wide, pixels)


def main():
    for folder in ("photos", "expected", "refused"):
        (HERE / folder).mkdir(exist_ok=True)
        # Those of HEIC are made by `heic.py`.
        for old in (old for old in (HERE / folder).iterdir() if ".heic" not in old.name):
            old.unlink()
    for make in (jpegs, odd_jpegs, pngs, others):
        make()
    with (HERE / "cases.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file", "width", "height", "crc32", "tolerance"])
        rows.writerows(ROWS)
    print(f"{len(ROWS)} files by Pillow {PIL.__version__}")


if __name__ == "__main__":
    main()
