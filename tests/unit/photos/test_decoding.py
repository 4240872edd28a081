"""Pixels that the formats' own definitions give, written out by hand; files are built byte by byte."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from relearn.photos import photographs
from tests.conftest import in_one_gib


def packed(picture, kind, **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def shorts(*values, order=">"):
    return struct.pack(f"{order}{len(values)}H", *values)


def png(width, depth, kind, row, *chunks):
    """A PNG of one row; chunks: (name, content) in front of the pixels."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, depth, kind, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + row))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunk(*given) for given in chunks) + pixels + chunk(b"IEND", b"")


SIZES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "I", 7: "B", 11: "f"}


def tiff(tags, pixels, order="<"):
    """A TIFF of one strip, or EXIF; tags: {number: (type, values or bytes)}."""
    packed_tags = {tag: value if isinstance(value, bytes) else struct.pack(f"{order}{len(value)}{SIZES[kind]}", *value)
                   for tag, (kind, value) in tags.items()}  # fmt: skip
    place = 8 + 2 + 12 * (len(tags) + 2) + 4
    rest, entries = b"", {}
    for tag, (kind, value) in tags.items():
        content, count = packed_tags[tag], len(value) // (2 if kind == 5 else 1)
        where = content.ljust(4, b"\0")
        if len(content) > 4:
            where = struct.pack(f"{order}I", place + len(rest))
            rest += content + b"\0" * (len(content) % 2)
        entries[tag] = struct.pack(f"{order}HHI", tag, kind, count) + where
    entries[273] = struct.pack(f"{order}HHII", 273, 4, 1, place + len(rest))
    entries[279] = struct.pack(f"{order}HHII", 279, 4, 1, len(pixels))
    start = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}IH", 8, len(entries)) + b"".join(entries[tag] for tag in sorted(entries))
    return start + directory + bytes(4) + rest + pixels


def plain(width, bits, photometric, samples=1, height=1, **more):
    """The tags that every TIFF has; more: e.g. extra=1, kind of a further sample."""
    tags = {256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * samples), 259: (3, [1]), 262: (3, [photometric]),
            277: (3, [samples]), 278: (4, [height])}  # fmt: skip
    return tags | ({338: (3, [more["extra"]])} if "extra" in more else {})


MASKS = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)


def bmp(bits, pixels, header=40, compression=0, palette=b"", masks=MASKS):
    about = struct.pack("<IiiHHIIiiII", header, 2, 1, 1, bits, compression, len(pixels), 2835, 2835, len(palette) // 4, 0)
    about = (about + struct.pack("<4I", *masks) + b"BGRs").ljust(header, b"\0") if header > 40 else about
    about += struct.pack("<3I", *masks[:3]) if header == 40 and compression == 3 else b""
    start = 14 + len(about) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + about + palette + pixels


def channels(levels, wide, order):
    """Levels of 255 in 8 or 16 bits each."""
    return shorts(*(257 * level for level in levels), order=order) if wide else bytes(levels)


def grey(*levels):
    return [[level] * 3 for level in levels]


def profile(space, curve, **columns):
    """An ICC profile, version 2: one gamma for all channels, and the primaries' XYZ for white D50."""

    def number(value):
        return struct.pack(">i", round(value * 65536))

    tags = {b"wtpt": b"XYZ \0\0\0\0" + number(0.9642) + number(1.0) + number(0.8249)}
    tags |= {name.encode(): b"XYZ \0\0\0\0" + b"".join(map(number, xyz)) for name, xyz in columns.items()}
    curves = (b"rTRC", b"gTRC", b"bTRC") if space == b"RGB " else (b"kTRC",)
    tags |= dict.fromkeys(curves, b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(curve * 256), 0))
    place, table, content = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", place + len(content), len(data))
        content += data
    head = struct.pack(
        ">I4sI4s4s4s12s4s", place + len(content), b"\0\0\0\0", 0x02100000, b"mntr", space, b"XYZ ", bytes(12), b"acsp"
    )
    head = head.ljust(68, b"\0") + number(0.9642) + number(1.0) + number(0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + content


ADOBE_RGB = profile(b"RGB ", 2.19921875, rXYZ=(0.60974, 0.31111, 0.01947), gXYZ=(0.20528, 0.62567, 0.06087),
                    bXYZ=(0.14919, 0.06322, 0.74457))  # fmt: skip
LINEAR_GREY = profile(b"GRAY", 1.0)
PALETTE = (b"PLTE", bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9]))
COLOURS = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]
THROUGH = [*COLOURS[:1], [127, 255, 127], *COLOURS[2:]]  # the second colour half transparent, on white
RAMP16 = (0, 21845, 43690, 65535)
RAMP = grey(0, 85, 170, 255)
FALLING = grey(255, 170, 85, 0)
MAP = [0] * 768
MAP[0], MAP[1], MAP[257], MAP[258], MAP[514] = 65535, 257 * 9, 257 * 70, 65535, 257 * 33
BY_FORMAT = {
    "PNG grey 1": (png(8, 1, 0, b"\xaa"), grey(255, 0) * 4),
    "PNG grey 2": (png(4, 2, 0, b"\x1b"), RAMP),
    "PNG grey 4": (png(4, 4, 0, b"\x05\xaf"), RAMP),
    "PNG grey 8": (png(4, 8, 0, b"\x00\x55\xaa\xff"), RAMP),
    "PNG grey 16": (png(4, 16, 0, shorts(*RAMP16)), RAMP),
    "PNG grey 1, transparent": (png(8, 1, 0, b"\xaa", (b"tRNS", shorts(0))), grey(255) * 8),
    "PNG grey 2, transparent": (png(4, 2, 0, b"\x1b", (b"tRNS", shorts(1))), grey(0, 255, 170, 255)),
    "PNG grey 4, transparent": (png(4, 4, 0, b"\x05\xaf", (b"tRNS", shorts(5))), grey(0, 255, 170, 255)),
    "PNG grey 8, transparent": (png(4, 8, 0, b"\x00\x55\xaa\xff", (b"tRNS", shorts(0x55))), grey(0, 255, 170, 255)),
    "PNG grey 16, transparent": (png(4, 16, 0, shorts(*RAMP16), (b"tRNS", shorts(21845))), grey(0, 255, 170, 255)),
    "PNG RGB 8, transparent": (
        png(2, 8, 2, bytes([1, 2, 3, 200, 100, 50]), (b"tRNS", shorts(1, 2, 3))), [[255] * 3, [200, 100, 50]]),
    "PNG RGB 16": (png(2, 16, 2, shorts(257, 514, 771, 65535, 0, 25700)), [[1, 2, 3], [255, 0, 100]]),
    "PNG grey and alpha 8": (png(2, 8, 4, bytes([0, 128, 200, 64])), grey(127, 241)),
    "PNG grey and alpha 16": (png(2, 16, 4, shorts(0, 32896, 51400, 16448)), grey(127, 241)),
    "PNG RGBA 8": (png(2, 8, 6, bytes([0, 0, 0, 128, 200, 100, 0, 64])), [[127] * 3, [241, 216, 191]]),
    "PNG RGBA 16": (png(2, 16, 6, shorts(0, 0, 0, 32896, 51400, 25700, 0, 16448)), [[127] * 3, [241, 216, 191]]),
    **{f"PNG palette {bits}{', half transparent' * half}":
           (png(4, bits, 3, row, PALETTE, *[(b"tRNS", bytes([255, 128]))] * half), THROUGH if half else COLOURS)
       for bits, row in ((2, b"\x1b"), (4, b"\x01\x23"), (8, bytes(range(4)))) for half in (0, 1)},
    # PNG, 3rd edition, 13.13: 255 * (v / 255) ** (1 / (gamma * 2.2))
    "PNG, linear": (png(4, 8, 0, b"\x00\x55\xaa\xff", (b"gAMA", struct.pack(">I", 100000))), grey(0, 155, 212, 255)),
    "PNG, gamma of old Macs": (png(4, 8, 0, b"\x00\x55\xaa\xff", (b"gAMA", struct.pack(">I", 55556))), grey(0, 104, 183, 255)),
    "PNG, usual gamma": (png(4, 8, 0, b"\x00\x55\xaa\xff", (b"gAMA", struct.pack(">I", 45455))), RAMP),
    "PNG, sRGB said": (png(4, 8, 0, b"\x00\x55\xaa\xff", (b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100000))), RAMP),
    **{f"TIFF {order} grey {bits}, {name}": (tiff(plain(8 if bits == 1 else 4, bits, photometric), row, order), expected)
       for order in "<>" for photometric, name in enumerate(("white is 0", "black is 0"))
       for bits, row, expected in (
           (1, b"\xaa", grey(255, 0) * 4 if photometric else grey(0, 255) * 4),
           (2, b"\x1b", RAMP if photometric else FALLING), (4, b"\x05\xaf", RAMP if photometric else FALLING),
           (8, b"\x00\x55\xaa\xff", RAMP if photometric else FALLING),
           (16, shorts(*RAMP16, order=order), RAMP if photometric else FALLING))
       if (order, bits, photometric) != (">", 16, 0)},  # refused, below
    "TIFF grey 12": (tiff(plain(4, 12, 1), b"\x00\x05\x55\xaa\xaf\xff"), RAMP),
    **{f"TIFF {order} {name}": (tiff(plain(2, 16 if wide else 8, photometric, 4, **extra), channels(levels, wide, order), order),
                                expected)
       for order in "<>" for wide in (False, True)
       for name, photometric, extra, levels, expected in (
           # ink c and black k: 255 * (1 - c / 255) * (1 - k / 255)
           (f"CMYK {wide}", 5, {}, (0, 255, 255, 0, 10, 20, 30, 40), [[255, 0, 0], [207, 198, 190]]),
           # alpha of a third of its colour multiplied in: 255 * (1 - 51 / 255) is added
           (f"RGB, multiplied by alpha {wide}", 2, {"extra": 1}, (51, 0, 0, 51, 25, 50, 0, 102),
            [[255, 204, 204], [178, 203, 153]]),
           (f"RGBA {wide}", 2, {"extra": 2}, (0, 0, 0, 128, 200, 100, 0, 64), [[127] * 3, [241, 216, 191]]),
           (f"RGB and a fourth sample {wide}", 2, {"extra": 0}, (1, 2, 3, 0, 200, 100, 50, 9), [[1, 2, 3], [200, 100, 50]]))},
    "TIFF grey, multiplied by alpha": (tiff(plain(2, 8, 1, 2, extra=1), bytes([51, 51, 0, 128])), grey(255, 127)),
    "TIFF palette": (tiff(plain(3, 8, 3) | {320: (3, MAP)}, bytes([0, 1, 2])), [[255, 0, 0], [9, 70, 0], [0, 255, 33]]),
    "BMP 32, fourth byte unused": (bmp(32, bytes([30, 20, 10, 128, 0, 100, 200, 7])), [[10, 20, 30], [200, 100, 0]]),
    "BMP 32, alpha": (bmp(32, bytes([0, 0, 0, 128, 0, 100, 200, 255]), 124, 3), [[127] * 3, [200, 100, 0]]),
    "BMP 32, alpha left 0": (bmp(32, bytes([30, 20, 10, 0, 0, 100, 200, 0]), 108, 3), [[10, 20, 30], [200, 100, 0]]),
    "BMP 16, 5-5-5": (bmp(16, struct.pack("<2H", 0x7C00, 0x03FF)), [[255, 0, 0], [0, 255, 255]]),
    "BMP 16, 5-6-5": (
        bmp(16, struct.pack("<2H", 0xF800, 0x07FF), 40, 3, masks=(0xF800, 0x7E0, 0x1F, 0)), [[255, 0, 0], [0, 255, 255]]),
    "BMP 8": (bmp(8, bytes([1, 0, 0, 0]), palette=bytes([0, 0, 255, 0, 255, 0, 0, 0])), [[0, 0, 255], [255, 0, 0]]),
}  # fmt: skip


@pytest.mark.parametrize("kind", BY_FORMAT)
def test_every_kind_depth_and_tag_gives_the_pixels_that_its_format_defines(kind):
    content, expected = BY_FORMAT[kind]
    image = photographs.read_image(content)
    assert image.dtype == np.uint8
    assert np.abs(image[0].astype(int) - expected).max() <= 1


def without_adobes_marker(content):
    start = content.index(b"\xff\xee")
    return content[:start] + content[start + 2 + int.from_bytes(content[start + 2 : start + 4], "big") :]


def test_a_cmyk_jpeg_is_inverted_with_and_without_adobes_marker():
    """As browsers and ImageMagick take it; 255 * (1 - c / 255) * (1 - k / 255)."""
    content = packed(Image.new("CMYK", (16, 16), (10, 200, 100, 40)), "JPEG", quality=95)
    assert b"Adobe" in content
    for given in (content, without_adobes_marker(content)):
        assert np.abs(photographs.read_image(given).astype(int) - [207, 46, 131]).max() <= 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_colours_of_another_profile_become_srgb(kind):
    """Adobe RGB by its published primaries and gamma 2.19921875, through XYZ, in numpy."""
    stored = np.array([[[200, 60, 30], [100, 150, 50], [90, 100, 200], [128, 128, 128]]], np.uint8)
    expected = [[231, 57, 21], [66, 151, 34], [85, 100, 204], [129, 129, 129]]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = packed(Image.fromarray(stored), kind, icc_profile=ADOBE_RGB, **options)
    assert np.abs(photographs.read_image(content)[0].astype(int) - expected).max() <= 2
    seen = Image.fromarray(stored).convert("RGBA")
    seen.putpixel((3, 0), (0, 0, 0, 0))
    content = packed(seen, kind, icc_profile=ADOBE_RGB, **options)
    assert np.abs(photographs.read_image(content)[0].astype(int) - [*expected[:3], [255] * 3]).max() <= 2


def test_grey_of_another_profile_becomes_srgb():
    stored = Image.fromarray(np.array([[50, 100, 200]], np.uint8))
    image = photographs.read_image(packed(stored, "PNG", icc_profile=LINEAR_GREY))
    assert np.abs(image[0].astype(int) - grey(122, 168, 229)).max() <= 1  # IEC 61966-2-1 of 50 / 255, ...


@pytest.mark.parametrize("found", [b"nonsense", LINEAR_GREY, ADOBE_RGB[:140],
                                   profile(b"RGB ", 2.2, rXYZ=(0.4361, 0.2225, 0.0139), gXYZ=(0.3851, 0.7169, 0.0971),
                                           bXYZ=(0.1431, 0.0606, 0.7139))[:-3]])  # fmt: skip
def test_a_profile_that_is_damaged_or_of_other_colours_counts_as_none(found):
    stored = np.array([[[200, 60, 30], [100, 150, 50]]], np.uint8)
    assert np.array_equal(photographs.read_image(packed(Image.fromarray(stored), "PNG", icc_profile=found)), stored)


def test_a_profile_of_srgb_leaves_every_pixel_as_it_is():
    stored = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(photographs.read_image(packed(Image.fromarray(stored), "PNG", icc_profile=srgb)), stored)


PIXEL = plain(1, 8, 2, 3)
CLEAR = Image.new("RGBA", (2, 1), (9, 9, 9, 0))
TEXT = (b"zTXt", b"a\0\0" + zlib.compress(bytes(14 * 2**20)))
REFUSED = {
    "transparent PNG": (packed(CLEAR, "PNG"), "is transparent everywhere; save it without transparency"),
    "transparent TIFF": (packed(CLEAR, "TIFF"), "is transparent everywhere"),
    "transparent WebP": (packed(CLEAR, "WEBP", lossless=True, exact=True), "is transparent everywhere"),
    "transparent grey": (packed(CLEAR.convert("LA"), "PNG"), "is transparent everywhere"),
    "PNG RGB 16, transparent": (
        png(1, 16, 2, shorts(258, 3, 4), (b"tRNS", shorts(258, 3, 4))), "has 16 bits a channel and a transparent colour"),
    "signed TIFF": (tiff(plain(2, 16, 1) | {339: (3, [2])}, bytes(4)), "has 32 bits a pixel, or signed ones"),
    "TIFF of 12 bits, white is 0": (tiff(plain(2, 12, 0), bytes(3)), "is a TIFF of an unusual kind; save it as JPEG"),
    "TIFF of 16 bits, big-endian, white is 0": (tiff(plain(2, 16, 0), bytes(4), ">"), "is a TIFF of an unusual kind; save it"),
    "NEF, ARW: begins with a thumbnail": (tiff(PIXEL | {254: (4, [1])}, bytes(3)), "is camera RAW, .*save it as JPEG or TIFF"),
    "the same, big-endian": (tiff(PIXEL | {254: (4, [1])}, bytes(3), ">"), "is camera RAW"),
    "DNG": (tiff(PIXEL | {50706: (1, [1, 4, 0, 0])}, bytes(3)), "is camera RAW"),
    "a mosaic of colours": (tiff(plain(2, 8, 32803), bytes(2)), "is camera RAW"),
    "a larger picture inside": (
        tiff(PIXEL | {330: (4, [8 + 2 + 12 * 10 + 4 + 6 + 3])}, bytes(3)) + struct.pack("<HHHII", 1, 256, 4, 1, 6000),
        "is camera RAW"),
    "CR2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(4) + bytes(40), "is camera RAW"),
    "CR3": (b"\0\0\0\x18ftypcrx " + bytes(50), "is camera RAW"),
    "ORF": (b"IIRO\x08\0\0\0" + bytes(50), "is camera RAW"),
    "RW2": (b"IIU\0\x18\0\0\0" + bytes(50), "is camera RAW"),
    "RAF": (b"FUJIFILMCCD-RAW 0201" + bytes(50), "is camera RAW"),
    "70 MB of texts": (png(1, 8, 2, bytes(3), *[TEXT] * 5), r"has packed texts .*\(64 in all\); save it without"),
    "damaged in front of the pixels": (
        png(1, 8, 2, bytes(3), (b"tEXt", b"a\0b")).replace(b"tEXta", b"tEXtb"), "is damaged: its header cannot be read"),
    "film": (b"\0\0\0\x18ftypmp42" + bytes(50), "is a film"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_has_no_right_pixels_is_refused_with_what_to_do(kind):
    content, reason = REFUSED[kind]
    with pytest.raises(ValueError, match=f"^x: {reason}"):
        photographs.read_image(content, "x")


def test_a_tiff_with_a_thumbnail_behind_it_is_no_raw():
    smaller = struct.pack("<HHHII", 1, 256, 4, 1, 1)
    content = tiff(plain(2, 8, 2, 3) | {330: (4, [8 + 2 + 12 * 10 + 4 + 6 + 6])}, bytes([1, 2, 3, 4, 5, 6])) + smaller
    assert photographs.read_image(content).tolist() == [[[1, 2, 3], [4, 5, 6]]]


ODD = {
    "text": (2, b"seventy-two\0"), "not a number": (11, [float("nan")]), "0 / 0": (5, [0, 0]), "out of range": (4, [2**32 - 1]),
    "bytes": (7, b"\xff\xfe\xfd\xfc\xfb"), "several": (3, [1, 2, 3]),
}  # fmt: skip
TAGS = {"x resolution": 0x011A, "unit": 0x0128, "maker": 0x010F, "date": 0x0132, "place": 0x8825, "XMP": 0x02BC}
WIDE = np.repeat(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8), [2, 2], axis=1).repeat(2, axis=0)  # 2 x 4: red, blue


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("tag", TAGS)
def test_a_picture_is_turned_and_taken_whatever_other_tags_say(tag, value):
    """EXIF 2.32: orientation 6 is turned to the right; so red, which is stored on the left, is above."""
    exif = tiff({0x0112: (3, [6]), TAGS[tag]: ODD[value]}, b"")
    tags = plain(4, 8, 2, 3, 2) | {0x0112: (3, [6]), 0x0128: (3, [3]), TAGS[tag]: ODD[value]}
    files = [packed(Image.fromarray(WIDE), "PNG", exif=exif), tiff(tags, WIDE.tobytes()),
             packed(Image.fromarray(WIDE), "WEBP", exif=exif, lossless=True),
             packed(Image.fromarray(WIDE.repeat(16, 0).repeat(16, 1)), "JPEG", exif=b"Exif\0\0" + exif)]  # fmt: skip
    for content in files:
        image = photographs.read_image(content).astype(int)
        assert image.shape[0] == 2 * image.shape[1]
        assert np.abs(image[0, 0] - [255, 0, 0]).max() <= 3
        assert np.abs(image[-1, -1] - [0, 0, 255]).max() <= 3


@pytest.mark.parametrize("name", [b"zTXt", b"iCCP"])
def test_two_megabytes_of_packed_text_or_profile_do_no_harm(name):
    chunk = (name, b"a\0\0" + zlib.compress(bytes(2 * 2**20)))
    assert photographs.read_image(png(1, 8, 2, bytes([1, 2, 3]), chunk)).tolist() == [[[1, 2, 3]]]


def jpeg_of(width, height, frame=b"\xff\xc0"):
    """A grey JPEG of any size whose blocks all have the value 128: 6 bits each, `00` (no difference) and `1010` (end)."""
    small = packed(Image.new("L", (8, 8), 128), "JPEG")
    at, scan = small.index(b"\xff\xc0"), small.index(b"\xff\xda")
    scan += 2 + int.from_bytes(small[scan + 2 : scan + 4], "big")
    blocks = -(-width // 8) * -(-height // 8)
    header = small[:at] + frame + small[at + 2 : at + 5] + struct.pack(">HH", height, width) + small[at + 9 : scan]
    return header + b"\x28\xa2\x8a" * -(-blocks // 4) + b"\xff\xd9"


@pytest.mark.parametrize(("width", "height"), [(12_000, 9_000), (16_320, 12_240)])  # 108 and 200 million pixels
def test_a_jpeg_of_a_telephone_needs_little_memory(tmp_path, width, height):
    """Its pixels would need 324 and 600 MB; the address space of all of Python is a gigabyte."""
    (tmp_path / "x.jpg").write_bytes(jpeg_of(width, height))
    code = """
from relearn.photos import photographs
def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
def read(path):
    before = peak()
    image = photographs.read_image(path, side=224)
    print(image.shape, image.min(), image.max(), (peak() - before) // 1024)
"""
    *shape, low, high, megabytes = in_one_gib(code, tmp_path / "x.jpg").replace("(", "").replace(")", "").replace(",", "").split()
    assert (*map(int, shape), int(low), int(high)) == (height // 8, width // 8, 3, 128, 128)
    assert int(megabytes) < 60


def test_a_jpeg_of_a_telephone_is_read_where_no_side_is_known():
    assert photographs.read_image(jpeg_of(12_000, 9_000)).shape == (4_500, 6_000, 3)


@pytest.mark.parametrize("content", [jpeg_of(12_000, 9_000, b"\xff\xc2"), jpeg_of(40_000, 20_000)])
def test_a_jpeg_that_would_need_much_memory_or_time_is_refused(content):
    """libjpeg keeps all of a progressive one, whatever the scale at which it is decoded."""
    with pytest.raises(ValueError, match="has more than 100 million pixels; scale it down first"):
        photographs.read_image(content, side=224)
