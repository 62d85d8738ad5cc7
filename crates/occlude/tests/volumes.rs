//! Volumes and signals from files: against nibabel, MONAI, pydicom and tifffile (`tests/volumes/expected.npz`, made by `tools/make_volume_data.py`), maps back over the scan, fills and boxes, and files that
//! are damaged or lie.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use npyz::TypeChar;
use npyz::npz::NpzArchive;
use occlude::input::{read, read_all, read_labels};
use occlude::output::{self, encode_slices, table};
use occlude::{
    EngineChoice, ErrorKind, Fill, Format, Input, InputPort, Layout, Map, Model, Preprocess, Settings,
    Target, parse_preprocess,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/volumes")
}

fn file(name: &str) -> PathBuf {
    folder().join(name)
}

/// Arrays of `expected.npz` by name.
struct Expected(BTreeMap<String, (Vec<usize>, Vec<f64>)>);

impl Expected {
    fn open() -> Expected {
        let mut archive = NpzArchive::open(file("expected.npz")).unwrap();
        let names: Vec<String> = archive.array_names().map(str::to_string).collect();
        let read = |name: String| {
            let array = archive.by_name(&name).unwrap().unwrap();
            let shape: Vec<usize> = array.shape().iter().map(|&n| n as usize).collect();
            let is_fortran = array.order() == npyz::Order::Fortran;
            let npyz::DType::Plain(plain) = array.dtype() else { panic!("{name}") };
            let values: Vec<f64> = match (plain.type_char(), plain.num_bytes()) {
                (TypeChar::Float, Some(4)) => {
                    array.into_vec::<f32>().unwrap().into_iter().map(f64::from).collect()
                }
                (TypeChar::Float, _) => array.into_vec::<f64>().unwrap(),
                _ => array.into_vec::<u8>().unwrap().into_iter().map(f64::from).collect(),
            };
            let values = if is_fortran { row_major(&values, &shape) } else { values };
            (name, (shape, values))
        };
        Expected(names.into_iter().map(read).collect())
    }
    fn get(&self, name: &str) -> (&[usize], &[f64]) {
        let (shape, values) = self.0.get(name).unwrap_or_else(|| panic!("no {name}"));
        (shape, values)
    }
}

fn row_major(stored: &[f64], shape: &[usize]) -> Vec<f64> {
    let mut values = vec![0.0; stored.len()];
    for (at, value) in stored.iter().enumerate() {
        let (mut rest, mut place) = (at, 0);
        let mut index = Vec::new();
        for &n in shape {
            index.push(rest % n);
            rest /= n;
        }
        for (i, n) in index.iter().zip(shape) {
            place = place * n + i;
        }
        values[place] = *value;
    }
    values
}

/// A port that takes any volume with so many channels.
fn port(channels: usize) -> InputPort {
    InputPort {
        name: "x".into(),
        dims: vec![Some(channels), None, None, None],
        layout: Layout::ChannelsFirst,
    }
}

fn said(text: &str) -> Preprocess {
    parse_preprocess(text, &Preprocess::guess(Some(1))).unwrap()
}

fn near(got: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let range = expected.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        - expected.iter().copied().fold(f64::INFINITY, f64::min);
    for (at, (got, want)) in got.iter().zip(expected).enumerate() {
        assert!(
            (f64::from(*got) - want).abs() <= tolerance * range,
            "{what} at {at}: {got}, expected {want}"
        );
    }
}

fn near_affine(got: &[[f64; 4]; 4], expected: &[f64], what: &str) {
    for (got, want) in got.as_flattened().iter().zip(expected) {
        assert!((got - want).abs() < 1e-4, "{what}: {got:?}, expected {want}");
    }
}

#[test]
fn files_are_read_as_nibabel_and_the_others_read_them() {
    let expected = Expected::open();
    let mut read_files = 0;
    for name in expected.0.keys().filter_map(|name| name.strip_prefix("file_")) {
        if name.starts_with("mni152") {
            continue;
        }
        let (shape, values) = expected.get(&format!("file_{name}"));
        let frames = shape.get(3).copied().unwrap_or(1);
        let input = read(&file(name), &port(frames), &Preprocess::guess(Some(1))).unwrap();
        assert_eq!(input.spec.shape[1..], shape[..3], "{name}");
        // Frames come last in a file and first in the tensor.
        let places = values.len() / frames;
        let values: Vec<f64> =
            (0..frames).flat_map(|frame| (0..places).map(move |at| values[at * frames + frame])).collect();
        near(&input.values, &values, 1e-7, name);
        if let Some((_, affine)) = expected.0.get(&format!("affine_{name}")) {
            near_affine(&input.geometry.affine().unwrap(), affine, name);
        }
        read_files += 1;
    }
    assert!(read_files >= 16, "{read_files} files");
}

#[test]
fn a_template_of_the_brain_is_read() {
    let expected = Expected::open();
    let input = read(&file("mni152_4mm.nii.gz"), &port(1), &Preprocess::guess(Some(1))).unwrap();
    let (shape, values) = expected.get("file_mni152_4mm.nii.gz");
    let [_, height, depth] = [input.spec.shape[1], input.spec.shape[2], input.spec.shape[3]];
    let some: Vec<f32> = (0..values.len())
        .map(|at| {
            let index = [at / (shape[1] * shape[2]), at / shape[2] % shape[1], at % shape[2]].map(|i| 7 * i);
            input.values[(index[0] * height + index[1]) * depth + index[2]]
        })
        .collect();
    near(&some, values, 0.0, "mni152");
    assert!(input.notes[0].contains("voxels of 4x4x4 mm, axes run to RAS"), "{:?}", input.notes);
}

#[test]
fn steps_are_those_of_monai_from_text_and_from_a_bundle() {
    let expected = Expected::open();
    let cases: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(file("cases.json")).unwrap()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    for (number, case) in cases.iter().enumerate() {
        let steps = case["steps"].as_str().unwrap();
        let name = case["file"].as_str().unwrap();
        let (shape, values) = expected.get(&format!("case_{number}"));
        let (_, place) = expected.get(&format!("place_{number}"));
        let bundle = serde_json::json!({
            "image_key": "image",
            "preprocessing": { "_target_": "Compose", "transforms": case["bundle"] },
        });
        let path = scratch.path().join(format!("{number}.json"));
        std::fs::write(&path, bundle.to_string()).unwrap();
        for text in [steps, path.to_str().unwrap()] {
            let what = format!("case {number}, {name}, {text}");
            let input =
                read(&file(name), &port(shape[0]), &said(text)).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert_eq!(input.spec.shape, shape, "{what}");
            near(&input.values, values, 2e-6, &what);
            near_affine(&input.geometry.affine().unwrap(), place, &what);
            assert_eq!(input.geometry.placement.as_ref().unwrap().steps.join(","), steps, "{what}");
        }
    }
    assert!(cases.len() >= 20);
}

#[test]
fn labels_on_another_grid_lie_where_nibabel_lays_them() {
    let expected = Expected::open();
    let cases: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(file("cases.json")).unwrap()).unwrap();
    let last = cases.len() - 1;
    for (name, steps) in
        [("scan".to_string(), ""), (last.to_string(), cases[last]["steps"].as_str().unwrap())]
    {
        let input = read(&file("ct_lps.nii.gz"), &port(1), &said(steps)).unwrap();
        let found = read_labels(&file("organs.nii.gz"), &input).unwrap();
        let (_, want) = expected.get(&format!("labels_{name}"));
        let differing = found.iter().zip(want).filter(|(got, want)| f64::from(**got) != **want).count();
        assert!(want.contains(&7.0), "{name}: every organ is on it");
        // A place right between two voxels may go to either.
        assert!(differing * 200 <= found.len(), "{name}: {differing} of {} labels differ", found.len());
    }
}

/// The last case's input of the linear model, which its size fits.
fn scan_of_the_linear_model() -> (Model, Input, String) {
    let cases: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(file("cases.json")).unwrap()).unwrap();
    let steps = cases.last().unwrap()["steps"].as_str().unwrap().replace("12x9x8", "input");
    let settings = Settings { preprocess: Some(steps.clone()), ..Settings::default() };
    let model = Model::open_with(file("linear.onnx"), &settings).unwrap();
    let input = model.read_input(file("ct_lps.nii.gz")).unwrap();
    (model, input, steps)
}

/// Header fields, affine and values (first axis fastest) of a NIfTI file in memory.
fn unpacked(bytes: &[u8]) -> (Vec<usize>, [[f64; 4]; 4], Vec<f32>) {
    let header = nifti::NiftiHeader::from_reader(bytes).unwrap();
    let rank = usize::from(header.dim[0]);
    let shape = header.dim[1..=rank].iter().map(|&n| usize::from(n)).collect();
    let mut affine = [[0.0, 0.0, 0.0, 1.0]; 4];
    for (row, stored) in affine.iter_mut().zip([header.srow_x, header.srow_y, header.srow_z]) {
        *row = stored.map(f64::from);
    }
    assert_eq!((header.vox_offset, header.datatype, header.sform_code), (352.0, 16, 1));
    let values = bytes[352..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    (shape, affine, values)
}

/// Index coordinates of a point by the inverse of an affine whose columns are at right angles.
fn index_of(affine: &[f64], point: [f64; 3]) -> [f64; 3] {
    let column = |c: usize| [affine[c], affine[4 + c], affine[8 + c]];
    let from = [point[0] - affine[3], point[1] - affine[7], point[2] - affine[11]];
    [0, 1, 2].map(|c| {
        let along: f64 = column(c).iter().zip(from).map(|(a, b)| a * b).sum();
        along / column(c).iter().map(|v| v * v).sum::<f64>()
    })
}

#[test]
fn a_map_lies_over_the_scan_where_its_elements_do() {
    let expected = Expected::open();
    let (model, input, _) = scan_of_the_linear_model();
    let map = model
        .occlusion()
        .window([3, 2, 2])
        .stride([3, 2, 2])
        .fill(Fill::Zero)
        .target(Target::All)
        .run(&input)
        .unwrap();
    let (shape, affine, values) = unpacked(&output::encode(&map, &input.picture, Format::Nifti).unwrap());
    assert_eq!(shape, [9, 11, 7, 2]);
    near_affine(&affine, expected.get("affine_ct_lps.nii.gz").1, "the scan's affine");
    let attribution = map.attribution().values;
    let (_, place) = expected.get("place_21");
    let (mut inside, mut outside) = (0, 0);
    for voxel in 0..9 * 11 * 7 {
        let index = [voxel % 9, voxel / 9 % 11, voxel / 99];
        let at = [0, 1, 2]
            .map(|row| (0..3).map(|c| affine[row][c] * index[c] as f64).sum::<f64>() + affine[row][3]);
        // MONAI's own affine of the tensor says which element a voxel's centre lies in.
        let element = index_of(place, at).map(|v| (v + 0.5).floor());
        let is_inside = element.iter().zip([12.0, 9.0, 8.0]).all(|(e, n)| (0.0..n).contains(e));
        let is_edge = index_of(place, at).iter().any(|v| ((v + 0.5) - (v + 0.5).round()).abs() < 1e-4);
        if is_edge {
            continue;
        }
        for frame in 0..2 {
            let got = values[frame * 693 + voxel];
            if is_inside {
                let [i, j, k] = element.map(|e| e as usize);
                assert_eq!(got, attribution[frame * 864 + (i * 9 + j) * 8 + k], "voxel {index:?}");
                inside += 1;
            } else {
                assert_eq!(got, 0.0, "voxel {index:?} was not seen");
                outside += 1;
            }
        }
    }
    assert!(inside > 300 && outside > 300, "{inside} inside, {outside} outside");
    let packed = output::encode(&map, &input.picture, Format::NiftiGz).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    std::fs::write(scratch.path().join("map.nii.gz"), packed).unwrap();
    let again = read(&scratch.path().join("map.nii.gz"), &port(1), &said("frame=1")).unwrap();
    let [a, b] = [again.values[(3 * 11 + 4) * 7 + 2], values[693 + 3 + 9 * (4 + 11 * 2)]];
    assert_eq!(a, b, "the packed file holds the same");
}

#[test]
fn provenance_and_json_know_the_steps_and_the_place() {
    let (model, input, steps) = scan_of_the_linear_model();
    let map = model.occlusion().window([12, 9, 8]).run(&input).unwrap();
    let said = map.provenance.arguments.iter().find(|(name, _)| name == "preprocess").unwrap();
    assert_eq!(said.1, steps.replace("pad-or-crop=input", "pad-or-crop=12x9x8"));
    let json = output::json::value(&map);
    assert_eq!(json["geometry"]["placement"]["size"], serde_json::json!([9, 11, 7]));
    assert_eq!(
        (json["geometry"]["orientation"].as_str(), json["geometry"]["placement"]["orientation"].as_str()),
        (Some("RAS"), Some("LPS"))
    );
    let back = Map::from_bytes(&map.to_bytes()).unwrap();
    assert_eq!(back.geometry, map.geometry);
    // What was resolved is read again as the same.
    let settings = Settings { preprocess: Some(said.1.clone()), ..Settings::default() };
    let again = Model::open_with(file("linear.onnx"), &settings).unwrap();
    assert_eq!(again.read_input(file("ct_lps.nii.gz")).unwrap().values, input.values);
}

#[test]
fn the_background_of_a_brain_costs_nothing() {
    let model = Model::open(file("conv3d.onnx")).unwrap();
    let input = model.read_input(file("mni152_4mm.nii.gz")).unwrap();
    let run = |engine| {
        model.occlusion().window(9).stride(6).target(Target::Class(1)).engine(engine).run(&input).unwrap()
    };
    let map = run(EngineChoice::Incremental);
    assert!(
        map.notes.iter().any(|note| note == "fill background is 0: the value most often on the border"),
        "{:?}",
        map.notes
    );
    let found = map.unchanged.unwrap();
    // Counted window by window.
    let (mut windows, mut covered, mut saved) = (0, 0u64, 0u64);
    for window in 0..map.windows.len() {
        let bounds = map.windows.bounds(window);
        let mut around: Option<Vec<std::ops::Range<usize>>> = None;
        for x in bounds[1].clone() {
            for y in bounds[2].clone() {
                for z in bounds[3].clone() {
                    let shape = &input.spec.shape;
                    if input.values[(x * shape[2] + y) * shape[3] + z] == 0.0 {
                        continue;
                    }
                    let around = around.get_or_insert_with(|| [x, y, z].map(|i| i..i + 1).to_vec());
                    for (range, i) in around.iter_mut().zip([x, y, z]) {
                        *range = range.start.min(i)..range.end.max(i + 1);
                    }
                }
            }
        }
        let volume: usize = bounds.iter().map(std::ops::Range::len).product();
        let changed: usize = around.map_or(0, |around| around.iter().map(std::ops::Range::len).product());
        windows += usize::from(changed == 0);
        covered += volume as u64;
        saved += (volume - changed) as u64;
        if changed == 0 {
            assert_eq!(map.sensitivity_of(0)[window], 0.0, "window {window} changes nothing");
        }
    }
    assert_eq!((found.windows, found.elements, found.of_elements), (windows, saved, covered));
    assert!(found.share() > 0.2 && windows > 50, "{found:?}");
    let full = run(EngineChoice::Full);
    let range = map.max_abs();
    for (a, b) in map.sensitivity.iter().zip(&full.sensitivity) {
        assert!((a - b).abs() <= 1e-4 * range, "{a} {b}");
    }
    assert_eq!(full.unchanged, map.unchanged);
    let plan = model.occlusion().window(9).stride(6).target(Target::Class(1)).plan(&input).unwrap();
    assert_eq!((plan.unchanged, plan.runs), (map.unchanged, map.windows.len() - windows));
}

#[test]
fn the_least_value_as_fill() {
    let model = Model::open(file("conv3d.onnx")).unwrap();
    let input = model.read_input(file("ct_lps.nii.gz")).unwrap();
    let map = model.occlusion().window(3).fill(Fill::Min).run(&input).unwrap();
    assert!(map.notes.iter().any(|note| note == "fill min is -524: the least value"), "{:?}", map.notes);
}

#[test]
fn windows_in_millimetres() {
    let model = Model::open(file("conv3d.onnx")).unwrap();
    let input = model.read_input(file("ct_lps.nii.gz")).unwrap();
    let mut settings = Settings::default();
    settings.set("window", "3.6x2.7x5mm").unwrap();
    settings.set("stride", "2.5mm").unwrap();
    let map = model.occlusion().with(&settings).run(&input).unwrap();
    let axes = &map.windows.grid().unwrap().axes;
    assert_eq!(axes.iter().map(|a| a.window).collect::<Vec<_>>(), [4, 3, 2]);
    assert_eq!(axes.iter().map(|a| a.stride).collect::<Vec<_>>(), [3, 3, 1]);
    let window = map.provenance.arguments.iter().find(|(name, _)| name == "window").unwrap();
    assert_eq!(window.1, "4x3x2");
    let flat = Model::open(file("conv2d.onnx")).unwrap();
    let picture = flat.tensor_input(&[1, 8, 8], vec![0.0; 64]).unwrap();
    let error = flat.occlusion().with(&settings).run(&picture).unwrap_err();
    assert!(error.to_string().contains("window is given in millimetres"), "{error}");
}

#[test]
fn organs_one_by_one_as_a_table() {
    let (model, input, _) = scan_of_the_linear_model();
    let mut settings = Settings { target: Target::Class(0), fill: Some(Fill::Zero), ..Settings::default() };
    settings.set("regions", file("organs.nii.gz").to_str().unwrap()).unwrap();
    settings.set("region-names", file("organs.csv").to_str().unwrap()).unwrap();
    let map = model.occlusion().with(&settings).run(&input).unwrap();
    let labels = read_labels(&file("organs.nii.gz"), &input).unwrap();
    // The model is linear: hiding an organ takes the sum of what its voxels weigh.
    let untouched = model.outputs(&input).unwrap().values[0][0];
    let rows = table::rows(&map);
    assert_eq!(rows.len(), 3);
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    assert!(names.contains(&"liver") && names.contains(&"left kidney"), "{names:?}");
    assert!(rows.windows(2).all(|pair| pair[0].sensitivity >= pair[1].sensitivity));
    for row in &rows {
        let mut without = input.values.clone();
        without.iter_mut().zip(&labels).filter(|(_, l)| **l == row.label).for_each(|(v, _)| *v = 0.0);
        let occluded = model.tensor_input(&input.spec.shape, without).unwrap();
        let fall = untouched - model.outputs(&occluded).unwrap().values[0][0];
        assert!((row.sensitivity.unwrap() - fall).abs() < 1e-5, "{row:?}: {fall}");
        assert_eq!(row.places, labels.iter().filter(|l| **l == row.label).count());
        let millilitres = input.geometry.millimetres().unwrap().iter().product::<f64>() / 1000.0;
        assert!((row.millilitres.unwrap() - row.places as f64 * millilitres).abs() < 1e-9);
    }
    let csv = String::from_utf8(output::encode(&map, &input.picture, Format::Csv).unwrap()).unwrap();
    assert_eq!(csv.lines().count(), 4);
}

#[test]
fn slices_of_a_volume_through_a_model_of_pictures() {
    let open = |text: &str| {
        let settings = Settings { preprocess: Some(text.into()), ..Settings::default() };
        Model::open_with(file("conv2d.onnx"), &settings).unwrap()
    };
    let keep = "minmax,shift=0/1,resize=11x9,crop=no";
    let model = open(&format!("{keep},slice=axial"));
    let path = file("ct_lps.nii.gz");
    assert!(model.read_input(&path).unwrap_err().to_string().contains("all axial slices"));
    let inputs = model.read_all_inputs(&path).unwrap();
    assert_eq!((inputs.len(), &inputs[0].spec.shape[..]), (7, &[1, 11, 9][..]));
    let one = open(&format!("{keep},slice=axial:3")).read_input(&path).unwrap();
    assert_eq!((&one.values, &one.geometry), (&inputs[3].values, &inputs[3].geometry));
    // The file's axes run to LPS: an axial slice is its rows and columns as they are stored, turned over the diagonal.
    let volume = read(&path, &port(1), &said("minmax")).unwrap();
    for (row, column) in [(0, 0), (2, 5), (10, 8)] {
        let stored = volume.values[(column * 11 + row) * 7 + 3];
        assert!((one.values[row * 9 + column] - stored).abs() < 1e-6);
    }
    let run =
        |input: &Input| model.occlusion().window(3).stride(3).target(Target::Class(2)).run(input).unwrap();
    let maps: Vec<Map> = inputs.iter().map(run).collect();
    let (shape, affine, values) = unpacked(&encode_slices(&maps, Format::Nifti).unwrap());
    assert_eq!(shape, [9, 11, 7]);
    near_affine(&affine, Expected::open().get("affine_ct_lps.nii.gz").1, "the scan's affine");
    for (slice, map) in maps.iter().enumerate() {
        let attribution = map.attribution().values;
        for (row, column) in [(0, 0), (4, 7), (10, 8)] {
            assert_eq!(values[column + 9 * (row + 11 * slice)], attribution[row * 9 + column]);
        }
    }
    assert!(encode_slices(&maps, Format::Html).is_err());
    let alone = unpacked(&output::encode(&maps[3], &inputs[3].picture, Format::Nifti).unwrap()).2;
    assert!(alone[..3 * 99].iter().chain(&alone[4 * 99..]).all(|v| *v == 0.0));
    assert_eq!(alone[3 * 99..4 * 99], values[3 * 99..4 * 99]);
    let error = Model::open(file("conv2d.onnx")).unwrap().read_input(&path).unwrap_err();
    assert!(error.hint().unwrap().contains("slice=axial:80"), "{error}");
    // One DICOM picture is its only slice.
    let picture = open("resize=6x8,crop=no").read_input(file("monochrome1.dcm")).unwrap();
    assert_eq!(picture.spec.shape, [1, 6, 8]);
    assert!(picture.notes.iter().any(|note| note.contains("MONOCHROME1")), "{:?}", picture.notes);
}

#[test]
fn arrays_of_three_axes_are_volumes() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("v.npy");
    let values: Vec<f32> = (0..60).map(|i| i as f32).collect();
    std::fs::write(&path, occlude::input::npy::encode(&[3, 4, 5], &values).unwrap()).unwrap();
    let input = read(&path, &port(1), &said("shift=10/2,pad-or-crop=3x4x4")).unwrap();
    assert_eq!((&input.spec.shape[..], input.values[1]), (&[1, 3, 4, 4][..], -4.5));
    let model = Model::open(file("conv3d.onnx")).unwrap();
    let plain = model.read_input(&path).unwrap();
    assert_eq!(plain.values, values);
    let map = model.occlusion().window(2).run(&plain).unwrap();
    let (shape, affine, _) = unpacked(&output::encode(&map, &plain.picture, Format::Nifti).unwrap());
    assert_eq!((shape, affine[2]), (vec![3, 4, 5], [0.0, 0.0, 1.0, 0.0]));
}

#[test]
fn signals_are_occluded_and_drawn_as_lines() {
    let model = Model::open(file("conv1d.onnx")).unwrap();
    let input = model.read_input(file("ecg.csv")).unwrap();
    assert_eq!(input.spec.shape, [2, 200]);
    let map = model.occlusion().window(20).target(Target::Class(0)).run(&input).unwrap();
    assert!(map.notes.iter().any(|note| note.contains("\"time\"")));
    let png = output::encode(&map, &input.picture, Format::Png).unwrap();
    let mut strip = input.picture.clone();
    strip.signal = None;
    assert_ne!(png, output::encode(&map, &strip, Format::Png).unwrap());
    let error = output::encode(&map, &input.picture, Format::NiftiGz).unwrap_err();
    assert!(error.to_string().contains("1 spatial axis is no volume"), "{error}");
    let error = model.read_input(file("tone.wav")).unwrap_err().to_string();
    assert!(error.contains("200 samples of 1 channel, the model's input \"x\" is [2, ?]"), "{error}");
    let one = InputPort { name: "x".into(), dims: vec![Some(1), None], layout: Layout::ChannelsFirst };
    let tone = read(&file("tone.wav"), &one, &Preprocess::guess(None)).unwrap();
    assert_eq!((tone.spec.shape, tone.geometry.unit.as_ref()), (vec![1, 200], "samples"));
}

/// A copy of a file with some bytes changed.
fn changed(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(file(name)).unwrap();
    change(&mut bytes);
    let path = scratch.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (scratch, path)
}

fn refused(path: &Path, text: &str) -> occlude::Error {
    read(path, &port(1), &said(text)).expect_err("refused")
}

#[test]
fn damaged_files_and_headers_that_lie() {
    let put = |bytes: &mut Vec<u8>, at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    type Change = Box<dyn FnOnce(&mut Vec<u8>)>;
    let cases: Vec<(&str, Change, &str)> = vec![
        (
            "ct_lps.nii.gz",
            Box::new(|b| b.truncate(b.len() * 2 / 3)),
            "it is truncated: its packed bytes end early",
        ),
        (
            "ct_lps.nii.gz",
            Box::new(|b| {
                let at = b.len() - 6;
                b[at] ^= 0xFF;
            }),
            "it is damaged",
        ),
        (
            "kind_i2.nii",
            Box::new(|b| b.truncate(360)),
            "its header claims 3x4x2 voxels of 2 bytes, 400 bytes in all; there are 360",
        ),
        ("kind_i2.nii", Box::new(|b| b.truncate(200)), "its header ends after 200 of 348 bytes"),
        (
            "kind_i2.nii",
            Box::new(move |b| put(b, 42, &[0xFF, 0x7F, 0xFF, 0x7F, 0xFF, 0x7F])),
            "its header claims 32767x32767x32767 voxels",
        ),
        (
            "kind_i2.nii",
            Box::new(move |b| put(b, 42, &(-3i16).to_le_bytes())),
            "an axis has no voxels (dim is 3, -3, 4, 2",
        ),
        ("kind_i2.nii", Box::new(move |b| put(b, 42, &[0, 0])), "an axis has no voxels"),
        ("kind_i2.nii", Box::new(move |b| put(b, 108, &20.5f32.to_le_bytes())), "voxels begin at byte 20.5"),
        (
            "kind_i2.nii",
            Box::new(move |b| put(b, 70, &32i16.to_le_bytes())),
            "its voxels are of type Complex64",
        ),
        ("kind_i2.nii", Box::new(move |b| put(b, 70, &77i16.to_le_bytes())), "its voxels are of type 77"),
        ("kind_i2.nii", Box::new(move |b| put(b, 280, &[0; 48])), "its affine cannot be inverted"),
        (
            "kind_i2.nii",
            Box::new(move |b| put(b, 280, &f32::NAN.to_le_bytes())),
            "its affine cannot be inverted",
        ),
        ("kind_i2.nii", Box::new(move |b| put(b, 344, b"ni1\0")), "one of a pair of files"),
        ("kind_i2.nii", Box::new(move |b| put(b, 0, &540i32.to_le_bytes())), "a NIfTI-2 file"),
        ("kind_i2.nii", Box::new(move |b| put(b, 0, b"abcd")), "it is no NIfTI-1 file"),
        ("kind_i2.nii", Box::new(Vec::clear), "it is no NIfTI-1 file: it is too short"),
    ];
    for (name, change, message) in cases {
        let (_scratch, path) = changed(name, change);
        let error = refused(&path, "");
        assert!(error.to_string().contains(message), "{message}: {error}");
        assert!(error.to_string().contains(name) && error.kind() == ErrorKind::File, "{error}");
    }
    // A packed file that claims more than deflate can hold.
    let header = std::fs::read(file("kind_u1.nii")).unwrap();
    let mut claims = header[..352].to_vec();
    put(&mut claims, 42, &[0, 0x10, 0, 0x10, 0, 0x10]);
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("bomb.nii.gz");
    // Stored in one block, as gzip may.
    let mut packed = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    packed.extend((claims.len() as u16).to_le_bytes());
    packed.extend((!(claims.len() as u16)).to_le_bytes());
    packed.extend(&claims);
    std::fs::write(&path, packed).unwrap();
    let error = refused(&path, "").to_string();
    assert!(
        error.contains("claims 4096x4096x4096 voxels of 1 bytes") && error.contains("hold no more than"),
        "{error}"
    );
    let (_scratch, path) = changed("stack_u16.tif", |bytes| bytes.truncate(300));
    assert!(refused(&path, "").to_string().contains("damaged or unsupported TIFF"));
    assert!(refused(&folder().join("none.nii.gz"), "").to_string().contains("cannot read"));
}

#[test]
fn frames_have_to_be_chosen() {
    let path = file("series.nii.gz");
    let error = refused(&path, "");
    assert!(error.to_string().contains("it has 3 frames") && error.kind() == ErrorKind::Argument, "{error}");
    assert!(error.hint().unwrap().contains("frame=0"));
    assert!(refused(&path, "frame=3").to_string().contains("frame 3 is asked for, there are 3 (from 0)"));
    assert!(refused(&path, "frame=channels").to_string().contains("the volume has 3 channels"));
    let (_, all) = {
        let e = Expected::open();
        let (s, v) = e.get("file_series.nii.gz");
        (s.to_vec(), v.to_vec())
    };
    let second = read(&path, &port(1), &said("frame=1")).unwrap();
    let want: Vec<f64> = all.iter().skip(1).step_by(3).copied().collect();
    near(&second.values, &want, 1e-7, "the second frame");
    let mut last = port(3);
    (last.dims, last.layout) = (vec![None, None, None, Some(3)], Layout::ChannelsLast);
    let together = read(&path, &last, &said("")).unwrap();
    near(&together.values, &all, 1e-7, "channels last");
}

#[test]
fn inputs_that_do_not_fit_say_the_numbers() {
    let model = Model::open(file("linear.onnx")).unwrap();
    let error = model.read_input(file("ct_lps.nii.gz")).unwrap_err();
    assert!(
        error.to_string().contains("the volume has 9x11x7 voxels, the model's input \"x\" has 12x9x8"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("pad-or-crop=input"));
    let error = refused(&file("ct_lps.nii.gz"), "spacing=0.001");
    assert!(error.kind() == ErrorKind::Limit && error.to_string().contains("GiB to read"), "{error}");
    let error = refused(&file("ct_lps.nii.gz"), "resize=input");
    assert!(error.to_string().contains("has no fixed size"), "{error}");
}

/// A folder with copies of the series, some changed or left out.
fn series(change: impl Fn(&str, &mut Vec<u8>) -> bool) -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    for name in ["im1.dcm", "im2.dcm", "im3.dcm", "im4.dcm", "im5.dcm"] {
        let mut bytes = std::fs::read(file("dicom").join(name)).unwrap();
        if change(name, &mut bytes) {
            std::fs::write(scratch.path().join(name), bytes).unwrap();
        }
    }
    scratch
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|part| part == from).expect("is there");
    bytes[at..at + to.len()].copy_from_slice(to);
}

#[test]
fn a_series_of_dicom_files_has_to_be_one_whole_series() {
    let whole = read(&file("dicom"), &port(1), &said("")).unwrap();
    assert!(
        whole.notes.iter().any(|note| note.contains("1 files of the folder are no DICOM")),
        "{:?}",
        whole.notes
    );
    assert_eq!(whole.file.name, "dicom");
    let error = |scratch: &tempfile::TempDir| refused(scratch.path(), "").to_string();
    // im4 lies in the middle.
    let missing = error(&series(|name, _| name != "im4.dcm"));
    assert!(
        missing.contains("a slice is missing: im1.dcm lies at") && missing.contains("5.00 mm apart"),
        "{missing}"
    );
    let mixed = error(&series(|name, bytes| {
        if name == "im5.dcm" {
            // The series' number, before the tag of the instance's.
            replace(bytes, b"8.498.1\0 \0\x13\0", b"8.498.2\0 \0\x13\0");
        }
        true
    }));
    assert!(
        mixed.contains("the folder holds 2 series, expected one: 4 files of Thorax, 1 files of Thorax"),
        "{mixed}"
    );
    let cut = error(&series(|name, bytes| {
        if name == "im2.dcm" {
            bytes.truncate(bytes.len() - 40);
        }
        true
    }));
    assert!(cut.contains("im2.dcm") && cut.contains("truncated"), "{cut}");
    let differs = error(&series(|name, bytes| {
        if name == "im2.dcm" {
            replace(bytes, b"0.8\\0.6 ", b"0.8\\0.7 ");
        }
        true
    }));
    assert!(differs.contains("slices of one series differ: pixel spacings"), "{differs}");
    let empty = tempfile::tempdir().unwrap();
    assert!(error(&empty).contains("holds no DICOM file"));
    // Two slices at every place are frames.
    let twice = series(|_, _| true);
    for name in ["im1.dcm", "im2.dcm", "im3.dcm", "im4.dcm", "im5.dcm"] {
        std::fs::copy(twice.path().join(name), twice.path().join(format!("again_{name}"))).unwrap();
    }
    assert!(error(&twice).contains("every place has 2 slices"));
    let first = read(twice.path(), &port(1), &said("frame=1")).unwrap();
    assert_eq!(first.values, whole.values);
    let _ = read_all(twice.path(), &port(2), &said("frame=channels")).unwrap();
}
