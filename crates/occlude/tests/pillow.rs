//! Resizing and grey conversion against pictures that Pillow made (`data/make.py`): every byte must be equal.

use std::path::Path;

use occlude::input::{Filter, resize};

fn load(name: &str) -> (Vec<u8>, [usize; 2]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pillow").join(name);
    let image = image::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).into_rgb8();
    let size = [image.height() as usize, image.width() as usize];
    (image.into_raw(), size)
}

#[test]
fn every_filter_equals_pillow() {
    let (source, from) = load("source.png");
    let mut compared = 0;
    for (filter, name, _) in Filter::ALL {
        for (width, height) in [(23, 17), (64, 50), (13, 50), (41, 29), (41, 12), (1, 1), (7, 100)] {
            let (expected, to) = load(&format!("{name}_{width}x{height}.png"));
            assert_eq!(to, [height, width]);
            let got = resize(&source, 3, from, to, filter);
            let worst = got.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
            assert_eq!(worst, Some(0), "{name} to {width}x{height}");
            compared += 1;
        }
    }
    assert_eq!(compared, 42);
}

#[test]
fn grey_equals_pillow() {
    // A grey input of the source's size, values as they are: the tensor is Pillow's convert("L").
    let (expected, [height, width]) = load("grey.png");
    let port = occlude::InputPort {
        name: "x".into(),
        dims: vec![Some(1), Some(height), Some(width)],
        layout: occlude::Layout::ChannelsFirst,
    };
    let preprocess = occlude::parse_preprocess("none", &occlude::Preprocess::imagenet()).expect("a name");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pillow/source.png");
    let input = occlude::input::read(&path, &port, &preprocess).expect("reads");
    let grey: Vec<f32> = expected.chunks(3).map(|p| f32::from(p[0])).collect();
    assert_eq!(input.values, grey);
}
