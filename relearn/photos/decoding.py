"""Image files decoded as a viewer shows them: upright sRGB, whatever the tags, depths and profiles inside say.

Pillow decodes; this adds what it leaves to its caller (orientation, profiles, gamma, alpha) or gets wrong.
"""

import contextlib
import io
import struct
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 100_000_000  # 300 MB decoded
MAX_JPEG_PIXELS = 500_000_000  # of a JPEG that is decoded at 1/2, 1/4 or 1/8 of its size; telephones reach 200 million
MAX_TEXT = 16 * 2**20  # bytes of one packed text or profile in a PNG
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
ORIENTATION = 0x0112
TOO_MANY = f"has more than {MAX_PIXELS // 10**6} million pixels; scale it down first"
TOO_MUCH_TEXT = f"has packed texts or a colour profile of more than {MAX_TEXT // 2**20} MB (64 in all); save it without"
RAW = "is camera RAW, of which only a thumbnail could be read; save it as JPEG or TIFF first"
RAW_BEGINNINGS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")  # RAF, ORF, RW2, X3F, MRW
TIFF_BEGINNINGS = {b"II*\0": "<", b"MM\0*": ">"}
DNG_VERSION, SUB_FILES, KIND, WIDTH, BITS, PHOTOMETRIC = 50706, 330, 254, 256, 258, 262
UNHARMED = {282: (5,), 283: (5,), 700: (1, 2, 7)}  # resolutions and XMP: types with which Pillow does not fail
SRGB = ImageCms.createProfile("sRGB")
SRGB_GAMMA = 2.2
NEAR_SRGB = 2  # levels of 255: what a profile changes by no more is left as it is
GRID = np.stack(np.meshgrid(*[np.arange(0, 256, 51, dtype=np.uint8)] * 3), axis=-1).reshape(1, -1, 3)

Image.MAX_IMAGE_PIXELS = MAX_JPEG_PIXELS // 2  # Pillow refuses twice this
PngImagePlugin.MAX_TEXT_CHUNK = MAX_TEXT


class Refused(ValueError):
    """A sound file that is not taken, with the reason."""


def decoded(content: bytes, side: int | None = None) -> np.ndarray:
    """An image file's first frame as uint8 H x W x 3: upright, alpha on white, in sRGB.

    side: see `photographs.read_image`. Raises Refused for a sound file that is not taken, Image.UnidentifiedImageError for
    what is no image, Image.DecompressionBombError for too many pixels, and anything else for a damaged file.
    """
    tags = _Tags(content)
    if tags.is_raw:
        raise Refused(RAW)
    with Image.open(io.BytesIO(tags.unharmed()), formats=FORMATS) as picture:
        _bound(picture, content, side)
        picture.load()
        colours, alpha = _channels(picture, tags)
        colours = _in_srgb(colours, picture)
        turn = TURNS.get(_orientation(picture))
    if alpha is not None:
        if alpha.getextrema()[1] == 0:
            raise Refused("is transparent everywhere; save it without transparency")
        white = Image.new("RGB", colours.size, "white")
        colours = Image.alpha_composite(white.convert("RGBA"), Image.merge("RGBA", (*colours.convert("RGB").split(), alpha)))
    rgb = colours.convert("RGB")
    return np.array(rgb if turn is None else rgb.transpose(turn))


def why_unknown(content: bytes) -> str:
    """Why a file is none of FORMATS, and the cure where there is one."""
    if content.startswith(RAW_BEGINNINGS) or content[4:12] == b"ftypcrx ":
        return RAW
    if content[4:8] == b"ftyp":
        film = content[8:12] in (b"isom", b"iso2", b"mp41", b"mp42", b"qt  ", b"M4V ", b"avc1", b"3gp4", b"3gp5")
        return "is a film" if film else "is HEIC or AVIF, as telephones write them; save it as JPEG"
    if content[:4] in TIFF_BEGINNINGS:
        return "is a TIFF of an unusual kind; save it as JPEG or as TIFF with 8 bits a channel"
    if content.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8")) or content[8:12] == b"WEBP":
        return "is damaged: its header cannot be read"
    return f"is no picture of the kinds {', '.join(FORMATS)}"


def _bound(picture: Image.Image, content: bytes, side: int | None) -> None:
    """Lets a huge JPEG be decoded small. Refused when what would be decoded has more than MAX_PIXELS."""
    width, height = picture.size
    if picture.format in ("JPEG", "MPO") and (width * height <= MAX_PIXELS or _flat(content)):
        fits = next((scale for scale in (1, 2, 4, 8) if width * height <= MAX_PIXELS * scale**2), 8)
        if side is not None or fits > 1:
            target = min(2 * side, width // fits, height // fits) if side is not None else min(width, height) // fits
            picture.draft(None, (max(target, 1), max(target, 1)))
    if picture.width * picture.height > MAX_PIXELS:
        raise Refused(TOO_MANY)


def _flat(content: bytes) -> bool:
    """Whether a JPEG has one scan, so that libjpeg need not keep all of it: from the markers in front of the first one."""
    at, components = 2, 0
    while content[at : at + 1] == b"\xff" and (marker := content[at + 1]) != 0xDA:
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            components = content[at + 9] if marker in (0xC0, 0xC1) else 0  # the other frames are progressive, or rare
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return components > 0 and content[at + 4 : at + 5] == bytes([components])


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; of TIFF 1, since Pillow turns it. Odd tags beside it do no harm."""
    with contextlib.suppress(Exception):
        return int(picture.getexif().get(ORIENTATION, 1))
    exif = picture.info.get("exif", b"").removeprefix(b"Exif\0\0")
    return _Tags(exif).first(ORIENTATION) or 1


def _channels(picture: Image.Image, tags: "_Tags") -> tuple[Image.Image, Image.Image | None]:
    """The colours (mode L, RGB or CMYK) and the alpha channel (L), if there is one."""
    if picture.mode in ("I", "F"):
        raise Refused("has 32 bits a pixel, or signed ones; save it with 8 or 16")
    transparent = picture.info.get("transparency")
    depth = tags.png_depth
    if picture.mode.startswith("I;16"):
        return _deep(picture, tags, transparent)
    if depth == 16 and isinstance(transparent, tuple):
        raise Refused("has 16 bits a channel and a transparent colour; save it with 8")
    if picture.mode in ("1", "L") and isinstance(transparent, int):  # as stored, where the pixels are scaled to 255
        grey = picture.convert("L")
        scale = 255 // (2 ** (depth or 8) - 1) if depth in (1, 2, 4) else 1
        return grey, grey.point([0 if value == transparent * scale else 255 for value in range(256)])
    if picture.format == "BMP" and picture.mode == "RGBA" and picture.getchannel("A").getextrema()[1] == 0:
        return picture.convert("RGB"), None  # programs that know of no alpha leave it 0
    seen = picture.convert("LA") if picture.mode == "La" else picture
    if seen.has_transparency_data:
        rgba = seen.convert("RGBA")
        return rgba.convert("RGB"), rgba.getchannel("A")
    return (picture if picture.mode in ("L", "RGB", "CMYK") else picture.convert("RGB")), None


def _deep(picture: Image.Image, tags: "_Tags", transparent: object) -> tuple[Image.Image, Image.Image | None]:
    """Grey of 16 bits (of 12 in some TIFF) as 8, and its alpha channel."""
    stored = np.asarray(picture).astype(np.uint16)
    top = 4095 if tags.first(BITS) == 12 else 65535
    values = stored.astype(np.float32) / top
    if tags.first(PHOTOMETRIC) == 0 and tags.first(BITS) == 16:  # white is 0; Pillow turns it for fewer bits only
        values = 1 - values
    alpha = Image.fromarray(np.where(stored == transparent, 0, 255).astype(np.uint8)) if isinstance(transparent, int) else None
    return Image.fromarray(np.round(255 * values).astype(np.uint8)), alpha


def _in_srgb(colours: Image.Image, picture: Image.Image) -> Image.Image:
    """The colours as sRGB: from the profile inside, or from a PNG's gamma; unchanged where these say nothing else."""
    profile = picture.info.get("icc_profile")
    if isinstance(profile, bytes) and (found := _transform(profile, colours.mode)):
        mode, transform = found
        return ImageCms.applyTransform(colours.convert(mode), transform) or colours
    gamma = 0.0 if profile or "srgb" in picture.info else float(picture.info.get("gamma") or 0)
    exponent = 1 / (gamma * SRGB_GAMMA) if gamma > 0 else 1.0  # PNG, 3rd edition, 13.13
    if abs(exponent - 1) < 0.05:
        return colours
    levels = [round(255 * (value / 255) ** exponent) for value in range(256)]
    return colours.point(levels * len(colours.getbands()))


@lru_cache(maxsize=4)
def _transform(content: bytes, mode: str) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """The mode that a colour profile is for, and the transform to sRGB; None where it changes nothing that can be seen.

    A damaged profile counts as none, as in viewers, and so does one of another kind of colours than the picture has.
    """
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        space = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}.get(profile.profile.xcolor_space.strip(), "")
        if space not in ({"L": ("L", "RGB"), "RGB": ("RGB",), "CMYK": ("CMYK",)}[mode]):
            return None
        transform = ImageCms.buildTransform(profile, SRGB, space, "RGB")
        grid = Image.fromarray(
            GRID if space != "CMYK" else np.concatenate([GRID, GRID[:, :, :1]], axis=2), space if space == "CMYK" else None
        )
        sample = grid.convert(space)
        changed = ImageCms.applyTransform(sample, transform)
    except (OSError, ValueError, ImageCms.PyCMSError):
        return None
    difference = np.abs(np.asarray(changed, np.int16) - np.asarray(sample.convert("RGB"), np.int16)).max()
    return (space, transform) if difference > NEAR_SRGB else None


class _Tags:
    """The tags of the first directory of a TIFF file, of EXIF, and the depth of a PNG: what Pillow does not tell, or fails on."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.order = TIFF_BEGINNINGS.get(content[:4], "")
        self.png_depth = content[24] if content.startswith(b"\x89PNG") and len(content) > 24 else None
        self.entries = self._directory(self._number(4, "I")) if self.order else {}

    def first(self, tag: int) -> int | None:
        """The first value of a tag of whole numbers; None where there is none."""
        return self._value(self.entries.get(tag))

    @property
    def is_raw(self) -> bool:
        """Whether it is camera RAW: DNG, CR2, and TIFF whose first picture is the thumbnail of another (NEF, ARW, ...)."""
        if not self.order or self.content[8:10] == b"CR":
            return bool(self.order)
        thumbnail = bool((self.first(KIND) or 0) & 1) or (self.first(PHOTOMETRIC) or 0) > 32000
        larger = any((self._value(inner.get(WIDTH)) or 0) > (self.first(WIDTH) or 0) for inner in self._sub_files())
        return thumbnail or larger or DNG_VERSION in self.entries

    def unharmed(self) -> bytes:
        """The file, tags of TIFF that do not concern the pixels renamed where their type makes Pillow fail."""
        odd = [at for tag, at in self.entries.items() if self._number(at + 2, "H") not in UNHARMED.get(tag, range(65536))]
        if not odd:
            return self.content
        changed = bytearray(self.content)
        for at in odd:
            struct.pack_into(f"{self.order}H", changed, at, 65000)
        return bytes(changed)

    def _sub_files(self) -> list[dict[int, int]]:
        if (at := self.entries.get(SUB_FILES)) is None:
            return []
        count = min(self._number(at + 4, "I"), 16)
        place = at + 8 if count == 1 else self._number(at + 8, "I")
        return [self._directory(self._number(place + 4 * part, "I")) for part in range(count)]

    def _directory(self, place: int) -> dict[int, int]:
        """Where each tag's entry stands."""
        starts = range(place + 2, place + 2 + 12 * self._number(place, "H"), 12)
        return {self._number(at, "H"): at for at in starts if at + 12 <= len(self.content)}

    def _value(self, at: int | None) -> int | None:
        if at is None or (kind := {1: "B", 3: "H", 4: "I"}.get(self._number(at + 2, "H"))) is None:
            return None
        size = struct.calcsize(kind) * self._number(at + 4, "I")
        return self._number(at + 8 if size <= 4 else self._number(at + 8, "I"), kind)

    def _number(self, at: int, kind: str) -> int:
        """The number at a place; 0 where the file ends before."""
        end = at + struct.calcsize(kind)
        return int(struct.unpack(f"{self.order}{kind}", self.content[at:end])[0]) if end <= len(self.content) else 0
