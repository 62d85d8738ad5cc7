"""Makes the goldens of this folder with Pillow: small pictures resized with every filter.

Usage: python make.py   (needs pillow; writes pillow/*.png; Pillow 13.0 made the ones that are kept)
Each file is named FILTER_WIDTHxHEIGHT.png; `source.png` is what they were made from.
"""

from pathlib import Path

from PIL import Image

HERE = Path(__file__).parent / "pillow"
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Smaller, larger, mixed, one axis alone, and to a single pixel.
SIZES = [(23, 17), (64, 50), (13, 50), (41, 29), (41, 12), (1, 1), (7, 100)]


def source() -> Image.Image:
    """Hard edges, ramps and noise of a linear congruential generator, 41x29."""
    image = Image.new("RGB", (41, 29))
    state = 1
    for y in range(29):
        for x in range(41):
            state = (state * 1103515245 + 12345) % 2**31
            noise = state >> 23
            edge = 255 if (x // 5 + y // 4) % 2 else 0
            image.putpixel((x, y), (noise, edge, (x * 6 + y * 3) % 256))
    return image


def main() -> None:
    HERE.mkdir(exist_ok=True)
    image = source()
    image.save(HERE / "source.png", optimize=True)
    image.convert("L").save(HERE / "grey.png", optimize=True)
    for name, resample in FILTERS.items():
        for size in SIZES:
            image.resize(size, resample).save(HERE / f"{name}_{size[0]}x{size[1]}.png", optimize=True)


if __name__ == "__main__":
    main()
