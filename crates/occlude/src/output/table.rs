//! The `.csv` output: regions as a table, one line per target and region, the strongest first.
//!
//! In: a map whose windows are the regions of a label image or volume. Out: [`Row`]s, and their bytes as CSV. A region's share is its fall of the score in the sum of all falls: hidden one by one, regions
//! do not add up to the whole, so shares compare regions and nothing else.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::map::Map;
use crate::occlusion::Windows;

/// One region and what hiding it does to one target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What was measured.
    pub target: String,
    /// The region's label.
    pub label: u32,
    /// Its name, or `region 3`.
    pub name: String,
    /// Places of the input that it covers.
    pub places: usize,
    /// The same in millilitres, for volumes that know their millimetres.
    pub millilitres: Option<f64>,
    /// Score with the region hidden; `None` where it was not computed.
    pub score: Option<f32>,
    /// Baseline minus that: positive = evidence for the target was hidden.
    pub sensitivity: Option<f32>,
    /// Its part of the sum of all positive sensitivities; negative where hiding it raises the score. `None` where nothing falls.
    pub share: Option<f64>,
    /// Unit of score and sensitivity.
    pub unit: String,
}

/// The regions of a map for each target, by falling sensitivity; none where windows are no regions.
pub fn rows(map: &Map) -> Vec<Row> {
    let Windows::Regions(regions) = &map.windows else { return Vec::new() };
    let voxel =
        map.geometry.millimetres().filter(|mm| mm.len() == 3).map(|mm| mm.iter().product::<f64>() / 1000.0);
    let known = |value: f32| Some(value).filter(|value| !value.is_nan());
    let mut rows = Vec::new();
    for (t, target) in map.targets.iter().enumerate() {
        let (sensitivities, scores) = (map.sensitivity_of(t), map.scores_of(t));
        let falls: f64 = sensitivities.iter().filter(|v| **v > 0.0).map(|v| f64::from(*v)).sum();
        let mut of_target: Vec<Row> = regions
            .parts
            .iter()
            .enumerate()
            .map(|(window, part)| {
                let sensitivity = known(sensitivities[window]);
                Row {
                    target: target.label.clone(),
                    label: part.label,
                    name: part.title(),
                    places: part.count,
                    millilitres: voxel.map(|voxel| part.count as f64 * voxel),
                    score: known(scores[window]),
                    sensitivity,
                    share: sensitivity.filter(|_| falls > 0.0).map(|value| f64::from(value) / falls),
                    unit: target.unit.clone(),
                }
            })
            .collect();
        let rank = |row: &Row| row.sensitivity.unwrap_or(f32::NEG_INFINITY);
        of_target.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        rows.extend(of_target);
    }
    rows
}

/// Whether there is a table of these windows.
///
/// # Errors
/// Argument: windows that are no regions.
pub(super) fn check(windows: &Windows) -> Result<()> {
    match windows {
        Windows::Regions(_) => Ok(()),
        _ => Err(Error::argument("a table (.csv) is of regions, and windows are none").with_hint(
            "--regions organs.nii.gz hides regions one by one; .npz and .json hold the numbers of windows",
        )),
    }
}

/// The table as the bytes of a CSV file with a line of names.
///
/// # Errors
/// Argument: windows that are no regions.
pub(super) fn encode(map: &Map) -> Result<Vec<u8>> {
    check(&map.windows)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let refused = |e: &dyn std::fmt::Display| Error::file(format!("the table cannot be written: {e}"));
    for row in rows(map) {
        writer.serialize(row).map_err(|e| refused(&e))?;
    }
    writer.into_inner().map_err(|e| refused(&e))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::map::tests_support::map;
    use crate::occlusion::Regions;

    #[test]
    fn shares_of_regions() {
        let mut made = map([2, 4], [2, 2], [2, 2], vec![0.0; 2]);
        assert!(encode(&made).expect_err("windows").to_string().contains("is of regions"));
        let names = BTreeMap::from([(2, "liver, left".to_string())]);
        let labels = [1, 1, 2, 0, 1, 3, 2, 4];
        made.windows = Windows::Regions(Regions::new(&labels, &made.input, &names).expect("four"));
        made.sensitivity = vec![0.1, 0.3, -0.2, f32::NAN];
        made.scores = vec![0.9, 0.7, 1.2, f32::NAN];
        let text = String::from_utf8(encode(&made).expect("regions")).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "target,label,name,places,millilitres,score,sensitivity,share,unit");
        assert!(lines[1].starts_with("class 0,2,\"liver, left\",2,,0.7,0.3,0.7"), "{}", lines[1]);
        let shares: Vec<Option<f64>> =
            rows(&made).iter().map(|row| row.share.map(|s| (s * 100.0).round())).collect();
        assert_eq!(shares, [Some(75.0), Some(25.0), Some(-50.0), None]);
        assert_eq!((lines.len(), rows(&made)[3].label), (5, 4));
    }
}
