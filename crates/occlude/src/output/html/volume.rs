//! What the page draws a volume's planes from: grey values, which way the axes run, how large a voxel is.
//!
//! In: a map of a volume and its [`Picture`]. Out: the feed's `volume`, as `report/volume.js` reads it. All slices along the first axis lie in one grey PNG, which no other form
//! of the same bytes is smaller than, and which every browser decodes by itself.

use base64::Engine as _;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use serde_json::{Value, json};

use super::BASE64;
use crate::error::{Error, Result};
use crate::input::volume::affine;
use crate::input::{GreyVolume, Picture};
use crate::map::Map;
use crate::output::words;

/// The feed's `volume`; null for what has not three spatial axes.
pub(super) fn volume(map: &Map, picture: &Picture) -> Result<Value> {
    if map.input.spatial().len() != 3 {
        return Ok(Value::Null);
    }
    let (grey, affine) = (picture.volume.as_ref(), map.geometry.affine());
    let mut object = json!({
        "slices": null,
        "affine": affine.map(|affine| [affine[0], affine[1], affine[2]]),
        "spacing": map.geometry.millimetres(),
        "codes": affine.map(|affine| affine::codes(&affine).chars().map(String::from).collect::<Vec<_>>()),
        "note": note(map, grey),
    });
    if let Some(grey) = grey {
        let columns = columns(grey.size);
        object["size"] = json!(grey.size);
        object["every"] = json!(grey.every);
        object["black"] = json!(grey.black);
        object["white"] = json!(grey.white);
        object["slices"] = json!({ "url": mosaic(grey, columns)?, "columns": columns });
    }
    Ok(object)
}

/// How the planes are to be read, in sentences.
fn note(map: &Map, grey: Option<&GreyVolume>) -> String {
    let mut said = vec![match &map.geometry.placement {
        None => "This volume came without an affine: places are told in voxels, which are drawn as cubes, and which side is left is not known.".to_owned(),
        Some(placement) => format!("Millimetres are RAS, as the file's affine gives them; voxels are those of the model's input. The file has {}.", placement.describe()),
    }];
    if let Some(grey) = grey {
        let ends = format!("Black is {}, white {}", words::number(grey.black), words::number(grey.white));
        let of = if map.input.channels() > 1 { ", of the mean over channels" } else { "" };
        said.push(format!("{ends} (the 0.1st and 99.9th percentiles{of})."));
        if grey.every != [1; 3] {
            let block = grey.every.map(|n| n.to_string()).join(" × ");
            said.push(format!("The greys are means over {block} voxels; the map is not reduced."));
        }
    }
    said.join(" ")
}

/// In how many columns the slices lie, so that the mosaic is about square: browsers bound the sides of what they decode.
fn columns([slices, rows, columns]: [usize; 3]) -> usize {
    let square = (slices as f64 * rows as f64 / columns as f64).sqrt().round() as usize;
    square.clamp(1, slices)
}

fn mosaic(volume: &GreyVolume, columns: usize) -> Result<String> {
    let [slices, height, width] = volume.size;
    let (wide, high) = (columns * width, slices.div_ceil(columns) * height);
    let mut pixels = vec![0; wide * high];
    for (place, row) in volume.grey.chunks_exact(width).enumerate() {
        let (slice, y) = (place / height, place % height);
        let from = (slice / columns * height + y) * wide + slice % columns * width;
        pixels[from..from + width].copy_from_slice(row);
    }
    let mut bytes = Vec::new();
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
        .write_image(&pixels, wide as u32, high as u32, ExtendedColorType::L8)
        .map_err(|e| Error::file(format!("the volume cannot be written into the page: {e}")))?;
    Ok(format!("data:image/png;base64,{}", BASE64.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_lie_in_rows_of_a_picture_that_is_about_square() {
        assert_eq!(columns([128, 128, 128]), 11);
        assert_eq!(columns([1000, 1000, 8]), 354);
        assert_eq!((columns([3, 10, 4000]), columns([3, 4000, 10])), (1, 3));
        let grey: Vec<u8> = (0..3 * 2 * 4).collect();
        let volume = GreyVolume { size: [3, 2, 4], every: [1; 3], grey, black: 0.0, white: 1.0 };
        let url = mosaic(&volume, 2).unwrap();
        let bytes = BASE64.decode(url.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        let image = image::load_from_memory(&bytes).unwrap();
        assert_eq!(image.color(), image::ColorType::L8);
        let image = image.into_luma8();
        assert_eq!(image.dimensions(), (8, 4));
        for (slice, y, x) in (0..3).flat_map(|s| (0..2).flat_map(move |y| (0..4).map(move |x| (s, y, x)))) {
            let at = image.get_pixel(slice % 2 * 4 + x, slice / 2 * 2 + y).0[0];
            assert_eq!(u32::from(at), (slice * 2 + y) * 4 + x);
        }
    }
}
