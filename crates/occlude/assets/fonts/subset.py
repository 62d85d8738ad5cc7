"""Makes Inter-Regular.subset.otf and Inter-SemiBold.subset.otf, the text of PNG figures.

In:  a folder with Inter-Regular.otf and Inter-SemiBold.otf (Debian: `fonts-inter`, /usr/share/fonts/opentype/inter)
Out: this folder's two files: Latin, Greek, Cyrillic, arrows and mathematical signs; no kerning and no features,
     because the figure's text drawing uses neither; figures are the tabular ones, so that columns of numbers line up.
Run: pip install fonttools; python3 subset.py /usr/share/fonts/opentype/inter
"""

import pathlib
import sys

from fontTools import subset
from fontTools.ttLib import TTFont

RANGES = [(0x20, 0x7E), (0xA0, 0x17F), (0x218, 0x21B), (0x2C6, 0x2DD), (0x384, 0x3CE), (0x400, 0x45F), (0x490, 0x491),
          (0x1E9E, 0x1E9E), (0x2010, 0x2027), (0x2030, 0x203A), (0x2044, 0x2044), (0x2070, 0x209C), (0x20AC, 0x20AC),
          (0x2116, 0x2122), (0x2190, 0x2195), (0x2202, 0x2265), (0x25A0, 0x25FF), (0xFFFD, 0xFFFD)]

here = pathlib.Path(__file__).parent
source = pathlib.Path(sys.argv[1])
for weight in ["Regular", "SemiBold"]:
    font = TTFont(source / f"Inter-{weight}.otf")
    tabular = {}
    for record in font["GSUB"].table.FeatureList.FeatureRecord:
        if record.FeatureTag == "tnum":
            for index in record.Feature.LookupListIndex:
                for table in font["GSUB"].table.LookupList.Lookup[index].SubTable:
                    tabular.update(getattr(table, "ExtSubTable", table).mapping)
    for table in font["cmap"].tables:
        for code in range(0x30, 0x3A):
            if code in table.cmap:
                table.cmap[code] = tabular.get(table.cmap[code], table.cmap[code])
    options = subset.Options(layout_features=[], hinting=False, desubroutinize=False, name_IDs=[0, 1, 2, 4, 5, 6, 13, 14],
                             notdef_outline=True, drop_tables=["GPOS", "GSUB", "GDEF", "STAT", "DSIG"])
    worker = subset.Subsetter(options)
    worker.populate(unicodes=[code for low, high in RANGES for code in range(low, high + 1)])
    worker.subset(font)
    target = here / f"Inter-{weight}.subset.otf"
    font.save(target)
    print(target.name, target.stat().st_size, "bytes,", len(font.getGlyphOrder()), "glyphs")
