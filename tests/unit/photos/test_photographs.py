import io
import re
import struct
import zlib

import numpy as np
import pytest
import skimage.data
import sklearn.datasets
from PIL import Image

from relearn.data import arrays
from relearn.photos import photographs
from tests.conftest import in_one_gib

RED, WHITE, BLACK = [255, 0, 0], [255, 255, 255], [0, 0, 0]


def packed(picture, kind, **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def noise(height=40, width=60):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def png_that_claims(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_a_lossless_file_gives_its_pixels_whatever_its_name(tmp_path, kind):
    path = tmp_path / "picture.jpg"
    path.write_bytes(packed(Image.fromarray(noise()), kind, **({"lossless": True} if kind == "WEBP" else {})))
    image = photographs.read_image(path)
    assert image.dtype == np.uint8
    assert np.array_equal(image, noise())


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [("1", 1, WHITE), ("L", 77, [77] * 3), ("I;16", 257 * 200, [200] * 3), ("LA", (0, 51), [204] * 3),
     ("RGBA", (255, 0, 0, 255), RED), ("RGBA", (9, 9, 9, 1), [254] * 3), ("RGBA", (0, 0, 0, 51), [204] * 3)],
)  # fmt: skip
def test_every_kind_of_png_becomes_rgb_with_alpha_on_white(mode, value, expected):
    image = photographs.read_image(packed(Image.new(mode, (3, 2), value), "PNG"))
    assert image.shape == (2, 3, 3)
    assert (image == expected).all()


def test_a_palette_with_a_transparent_colour_lies_on_white():
    picture = Image.new("P", (2, 1))
    picture.putpalette([*RED, *BLACK])
    picture.putpixel((1, 0), 1)
    assert photographs.read_image(packed(picture, "PNG", transparency=1)).tolist() == [[RED, WHITE]]


def test_a_cmyk_jpeg_keeps_its_colour():
    cyan_free = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # full magenta and yellow ink: red
    assert np.abs(photographs.read_image(packed(cyan_free, "JPEG", quality=95)).astype(int) - RED).max() <= 3


# What a viewer shows for each EXIF orientation of the stored 2 x 3 picture [[1, 2, 3], [4, 5, 6]]; EXIF 2.32, tag 0x0112.
UPRIGHT = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_picture_is_turned_as_its_exif_says(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.array([[1, 2, 3], [4, 5, 6]], np.uint8))
    assert photographs.read_image(packed(stored, "PNG", exif=exif))[:, :, 0].tolist() == UPRIGHT[orientation]


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (4, 4), tuple(colour)) for colour in (RED, WHITE, BLACK)]
    content = packed(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (photographs.read_image(content) == RED).all()


def test_one_pixel_is_a_picture():
    image = photographs.read_image(packed(Image.new("RGB", (1, 1), tuple(RED)), "PNG"))
    assert (photographs.fit(image, 8) == RED).all()


JPEG = packed(Image.fromarray(noise(200, 300)), "JPEG")
HOSTILE = {
    "text": (b"this is no picture at all", "is no picture of the kinds JPEG, PNG"),
    "empty": (b"", "the file is empty"),
    "truncated": (JPEG[: len(JPEG) // 2], "is damaged: .*truncated"),
    "header only": (JPEG[:30], "damaged|no picture"),
    "bomb": (png_that_claims(60_000, 60_000), "more than 100 million pixels"),
    "smaller bomb": (png_that_claims(12_000, 9_000), "more than 100 million pixels"),
    "cut": (png_that_claims(100, 100), "is damaged"),
    "telephone": (b"\0\0\0\x18ftypheic" + b"\0" * 50, "save it as JPEG"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no picture"),
    "deep": (packed(Image.new("F", (2, 2), 0.5), "TIFF"), "32 bits a pixel"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_sound_picture_is_refused_in_one_line_with_its_name(tmp_path, kind):
    content, reason = HOSTILE[kind]
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^{path}: .*({reason})") as caught:
        photographs.read_image(path)
    assert "\n" not in str(caught.value)


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path):
    with pytest.raises(ValueError, match="is no file"):
        photographs.read_image(tmp_path)
    with pytest.raises(ValueError, match="no such file"):
        photographs.read_image(tmp_path / "absent.jpg")


def test_a_huge_jpeg_is_decoded_small_where_the_side_is_known():
    content = packed(Image.new("RGB", (1600, 2400), tuple(RED)), "JPEG")
    assert photographs.read_image(content).shape == (2400, 1600, 3)
    assert photographs.read_image(content, side=100).shape == (300, 200, 3)


def test_crop_keeps_the_middle_square_and_stretch_the_whole():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    assert (photographs.fit(wide, 10, "crop") == 255).all()
    stretched = photographs.fit(wide, 6, "stretch")
    assert stretched.shape == (6, 6, 3)
    assert stretched[:, 0].max() == 0
    assert stretched[:, 3].min() > 200


def test_crop_agrees_with_scaling_the_shorter_side_and_cutting_out_the_middle():
    image = skimage.data.chelsea()[:, :444]  # 300 x 444: a quarter of it is 75 x 111, 18 columns to cut on either side
    scaled = np.asarray(Image.fromarray(image).resize((111, 75), Image.Resampling.BILINEAR))
    assert np.abs(photographs.fit(image, 75).astype(int) - scaled[:, 18:-18]).max() <= 1


def test_a_long_thin_picture_needs_no_long_thin_scaled_one():
    line = np.full((1, 60_000, 3), 7, np.uint8)
    assert (photographs.fit(line, 224) == 7).all()


def test_an_image_of_the_right_side_stays_as_it_is():
    assert np.array_equal(photographs.fit(noise(32, 32), 32), noise(32, 32))


def test_shipped_pictures_are_those_of_the_packages():
    assert np.array_equal(photographs.shipped("skimage:chelsea"), skimage.data.chelsea())
    assert np.array_equal(photographs.open_any("sklearn:china.jpg"), sklearn.datasets.load_sample_image("china.jpg"))
    with pytest.raises(ValueError, match=r"skimage ships .*chelsea"):
        photographs.shipped("skimage:../../__init__")
    with pytest.raises(ValueError, match="skimage:<name> and sklearn:<name>"):
        photographs.shipped("os:path")


def test_a_row_of_a_data_set_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    grey = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)
    arrays.write(arrays.DATA / "tiny", train_images=grey, train_labels=np.zeros(2, np.uint8))
    arrays.write_classes(arrays.DATA / "tiny", ["a"])
    assert np.array_equal(photographs.open_any("tiny:train:1"), np.repeat(grey[1], 3, axis=2))
    with pytest.raises(ValueError, match="rows are 0 to 1"):
        photographs.open_any("tiny:train:2")
    with pytest.raises(ValueError, match="holds no such data set"):
        photographs.open_any("absent:test:0")


def test_a_name_is_printed_in_one_line():
    assert "\n" not in photographs.shown("evil\nname\x1b[2J.jpg")
    assert photographs.shown("Löwe.jpg") == "Löwe.jpg"


def test_the_contact_sheet_has_a_row_a_class(tmp_path):
    path = tmp_path / "plots" / "sheet.png"
    photographs.contact_sheet({"red": [np.full((9, 9, 3), RED, np.uint8)] * 2, "black": [np.zeros((9, 9, 3), np.uint8)]}, path)
    page = photographs.read_image(path)
    assert page.shape[0] == 2 * (photographs.THUMBNAIL + photographs.GAP) + photographs.GAP
    assert page[photographs.THUMBNAIL // 2, -photographs.THUMBNAIL // 2].tolist() == RED
    assert page[-photographs.THUMBNAIL // 2, -photographs.THUMBNAIL // 2].tolist() == WHITE


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(kind, data):
    """A PNG of one pixel with another chunk behind its header."""
    plain = packed(Image.new("RGB", (1, 1)), "PNG")
    return plain[:33] + chunk(kind, data) + plain[33:]


PACKED_ZEROS = zlib.compress(bytes(2**29))


def webp_that_claims(side):
    """An animated WebP's header: its canvas is made when the file is opened."""
    canvas = b"\x02\0\0\0" + 2 * (side - 1).to_bytes(3, "little")
    frame = packed(Image.new("RGB", (1, 1)), "WEBP", lossless=True)[12:]
    frame = b"ANMF" + struct.pack("<I", 16 + len(frame)) + bytes(16) + frame
    body = b"WEBPVP8X" + struct.pack("<I", 10) + canvas + b"ANIM" + struct.pack("<I", 6) + bytes(6) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_that_claims(side):
    tags = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, side), (279, 9)]
    return (
        b"II*\0"
        + struct.pack("<IH", 8, len(tags))
        + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        + bytes(4)
    )


TOO_MUCH = "has packed texts or a colour profile of more than 16 MB .*; save it without"
PICTURES = {
    "a PNG of 3,600 million pixels": (png_that_claims(60_000, 60_000), "has more than 100 million pixels"),
    "a PNG of 108 million pixels": (png_that_claims(12_000, 9_000), "has more than 100 million pixels"),
    "a BMP of 3,600 million pixels": (
        packed(Image.new("RGB", (1, 1)), "BMP").replace(struct.pack("<ii", 1, 1), struct.pack("<ii", 60_000, 60_000)),
        "has more than 100 million pixels"),
    "a GIF of 4,294 million pixels": (
        b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\0;", "has more than 100 million pixels"),
    "a TIFF of 3,600 million pixels": (tiff_that_claims(60_000), "has more than 100 million pixels"),
    "a WebP of 268 million pixels": (webp_that_claims(16_383), "."),
    "a text of 512 MB": (with_chunk(b"zTXt", b"a\0\0" + PACKED_ZEROS), TOO_MUCH),
    "a colour profile of 512 MB": (with_chunk(b"iCCP", b"a\0\0" + PACKED_ZEROS), TOO_MUCH),
    "a file of 200 MB": (None, "has more than 134,217,728 bytes"),
    "a program": (b"#!/bin/sh\ntouch ran\n", "is no picture of the kinds"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(ran) (w) file\n", "is no picture of the kinds"),
}  # fmt: skip


@pytest.mark.parametrize("kind", PICTURES)
def test_a_hostile_picture_is_refused(kind, tmp_path):
    content, reason = PICTURES[kind]
    with (tmp_path / "x.jpg").open("wb") as stream:
        stream.write(content or b"")
        stream.truncate(len(content) if content else 200 * 2**20)
    told = in_one_gib("from relearn.photos import photographs\nread = photographs.read_image", tmp_path / "x.jpg")
    assert re.match(f"ValueError .*x.jpg: .*{reason}", told)
