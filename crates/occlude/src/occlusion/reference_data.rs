//! For tests: the arrays of `tests/data/masks/*.npz`, made by `tools/make_mask_references.py` with the libraries that this room is compared with.
//!
//! In: a file name. Out: arrays by name, as f64 (every type that is kept there fits).

use std::collections::BTreeMap;
use std::path::Path;

use npyz::TypeChar;
use npyz::npz::NpzArchive;

/// Arrays of one file.
pub(super) struct References(BTreeMap<String, (Vec<usize>, Vec<f64>)>);

impl References {
    pub(super) fn open(name: &str) -> References {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/masks").join(name);
        let mut archive = NpzArchive::open(&path).unwrap();
        let names: Vec<String> = archive.array_names().map(str::to_string).collect();
        let mut arrays = BTreeMap::new();
        for name in names {
            let file = archive.by_name(&name).unwrap().unwrap();
            let shape = file.shape().iter().map(|&n| n as usize).collect();
            let npyz::DType::Plain(plain) = file.dtype() else { panic!("{name}: a plain type") };
            let values = match (plain.type_char(), plain.num_bytes()) {
                (TypeChar::Float, Some(4)) => {
                    file.into_vec::<f32>().unwrap().into_iter().map(f64::from).collect()
                }
                (TypeChar::Float, Some(8)) => file.into_vec::<f64>().unwrap(),
                (TypeChar::Int, Some(4)) => {
                    file.into_vec::<i32>().unwrap().into_iter().map(f64::from).collect()
                }
                (TypeChar::Uint, Some(1)) => {
                    file.into_vec::<u8>().unwrap().into_iter().map(f64::from).collect()
                }
                (TypeChar::Bool, _) => {
                    file.into_vec::<bool>().unwrap().into_iter().map(|b| f64::from(u8::from(b))).collect()
                }
                other => panic!("{name}: {other:?}"),
            };
            arrays.insert(name, (shape, values));
        }
        References(arrays)
    }
    /// Names that end so, without the ending.
    pub(super) fn stems(&self, ending: &str) -> Vec<String> {
        self.0.keys().filter_map(|k| k.strip_suffix(ending)).map(str::to_string).collect()
    }
    /// Names that begin so, without the beginning.
    pub(super) fn starts(&self, beginning: &str) -> Vec<String> {
        self.0.keys().filter_map(|k| k.strip_prefix(beginning)).map(str::to_string).collect()
    }
    pub(super) fn shape(&self, name: &str) -> &[usize] {
        &self.0.get(name).unwrap_or_else(|| panic!("no array {name}")).0
    }
    pub(super) fn values(&self, name: &str) -> &[f64] {
        &self.0.get(name).unwrap_or_else(|| panic!("no array {name}")).1
    }
    pub(super) fn floats(&self, name: &str) -> Vec<f32> {
        self.values(name).iter().map(|&v| v as f32).collect()
    }
    pub(super) fn sizes(&self, name: &str) -> Vec<usize> {
        self.values(name).iter().map(|&v| v as usize).collect()
    }
}
