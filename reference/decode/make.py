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
    for name, block in [("0", exif(0)), ("9", exif(9)), ("65535", exif(65535)), ("long", exif(6, kind=4)),
                        ("loop", b"II*\0\x08\0\0\0\xff\xff"), ("beyond", b"MM\0*\xff\xff\xff\xff")]:
        data = encoded(Image.fromarray(scene(24, 16)), "JPEG", quality=90, exif=b"Exif\0\0" + block)
        add(f"orientation-invalid-{name}.jpg", data, pillow(data), tolerance=3)


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
    for folder in ("photos", "expected"):
        (HERE / folder).mkdir(exist_ok=True)
        for old in (HERE / folder).iterdir():
            old.unlink()
    for make in (jpegs, pngs, others):
        make()
    with (HERE / "cases.csv").open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file", "width", "height", "crc32", "tolerance"])
        rows.writerows(ROWS)
    print(f"{len(ROWS)} files by Pillow {PIL.__version__}")


if __name__ == "__main__":
    main()
