//! Regions of any form: a label per place of the input (superpixels, anatomical parts), each label hidden as a whole.
//!
//! In: labels over the spatial axes, row-major, and names for them. Out: [`Regions`] in ascending order of their labels, each with its bounding box and its members. Label 0 is the background
//! and no region. Reading label images is in `input`.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tensor::{TensorSpec, for_each_run, shape_text};

/// The background.
pub const BACKGROUND: u32 = 0;

/// One region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Its label.
    pub label: u32,
    /// What it is called, where that was said.
    pub name: Option<String>,
    /// The box around it, one range per spatial axis.
    pub bounds: Vec<Range<usize>>,
    /// Per place of the box, row-major, how much of it is hidden: 1 for members, else 0.
    pub members: Vec<f32>,
    /// Number of members.
    pub count: usize,
}

impl Region {
    /// The places that have a share above 0, one number from 0 to 1 per place of the spatial axes `lengths`, row-major: how much of each is hidden. `None` where nothing is.
    pub(crate) fn of_shares(label: u32, shares: &[f32], lengths: &[usize]) -> Option<Region> {
        let row = lengths.last().copied().unwrap_or(1).max(1);
        let mut bounds: Option<Vec<Range<usize>>> = None;
        let mut count = 0;
        for (number, line) in shares.chunks_exact(row).enumerate() {
            let Some(first) = line.iter().position(|share| *share > 0.0) else { continue };
            let last = line.iter().rposition(|share| *share > 0.0).unwrap_or(first);
            count += line[first..=last].iter().filter(|share| **share > 0.0).count();
            let (mut rest, mut at) = (number, vec![first..last + 1; lengths.len()]);
            for axis in (0..lengths.len().saturating_sub(1)).rev() {
                at[axis] = rest % lengths[axis]..rest % lengths[axis] + 1;
                rest /= lengths[axis];
            }
            bounds = Some(match bounds {
                None => at,
                Some(old) => {
                    old.iter().zip(&at).map(|(a, b)| a.start.min(b.start)..a.end.max(b.end)).collect()
                }
            });
        }
        let bounds = bounds?;
        let mut members = Vec::with_capacity(bounds.iter().map(Range::len).product());
        for_each_run(lengths, &bounds, |run| members.extend_from_slice(&shares[run]));
        Some(Region { label, name: None, bounds, members, count })
    }

    /// Its name, or `region 3`.
    pub fn title(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("region {}", self.label))
    }
}

/// All regions of an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regions {
    /// In ascending order of their labels.
    pub parts: Vec<Region>,
    /// What they lie in.
    pub(super) spec: TensorSpec,
}

impl Regions {
    /// These regions, which may overlap, of an input.
    pub(crate) fn of_parts(parts: Vec<Region>, spec: &TensorSpec) -> Regions {
        Regions { parts, spec: spec.clone() }
    }

    /// Finds the regions of `labels`, one per place of the input's spatial axes, row-major.
    ///
    /// # Errors
    /// Argument: another number of labels than places; no label but the background.
    pub fn new(labels: &[u32], spec: &TensorSpec, names: &BTreeMap<u32, String>) -> Result<Regions> {
        let lengths = spec.spatial();
        if labels.len() != lengths.iter().product::<usize>() {
            return Err(Error::argument(format!(
                "{} labels for an input of {} places",
                labels.len(),
                shape_text(&lengths)
            )));
        }
        let place = |at: usize| -> Vec<usize> {
            let mut rest = at;
            let mut place: Vec<usize> = lengths
                .iter()
                .rev()
                .map(|n| {
                    let index = rest % n;
                    rest /= n;
                    index
                })
                .collect();
            place.reverse();
            place
        };
        let mut boxes: BTreeMap<u32, Vec<Range<usize>>> = BTreeMap::new();
        for (at, &label) in labels.iter().enumerate().filter(|(_, label)| **label != BACKGROUND) {
            let place = place(at);
            let bounds = boxes.entry(label).or_insert_with(|| place.iter().map(|&i| i..i + 1).collect());
            for (range, i) in bounds.iter_mut().zip(place) {
                *range = range.start.min(i)..range.end.max(i + 1);
            }
        }
        if boxes.is_empty() {
            return Err(Error::argument("the label image has no region: every label is 0, the background")
                .with_hint("regions are the labels from 1 on"));
        }
        let mut parts: Vec<Region> = boxes
            .into_iter()
            .map(|(label, bounds)| {
                let volume = bounds.iter().map(Range::len).product();
                Region {
                    label,
                    name: names.get(&label).cloned(),
                    bounds,
                    members: vec![0.0; volume],
                    count: 0,
                }
            })
            .collect();
        let order: BTreeMap<u32, usize> = parts.iter().enumerate().map(|(i, part)| (part.label, i)).collect();
        for (at, label) in labels.iter().enumerate() {
            let Some(&i) = order.get(label) else { continue };
            let part = &mut parts[i];
            let inside = place(at)
                .iter()
                .zip(&part.bounds)
                .fold(0, |flat, (index, range)| flat * range.len() + index - range.start);
            part.members[inside] = 1.0;
            part.count += 1;
        }
        Ok(Regions { parts, spec: spec.clone() })
    }

    /// Regions that may overlap, in this order: each says of every place of the input's spatial axes, row-major, whether it belongs to it. Their labels are 1, 2, ...
    ///
    /// # Errors
    /// Argument: no region, one without a place, another number of places than the input has.
    pub(crate) fn of_sets(sets: &[Vec<bool>], spec: &TensorSpec) -> Result<Regions> {
        let mut all = Regions { parts: Vec::with_capacity(sets.len()), spec: spec.clone() };
        for (label, set) in (1..).zip(sets) {
            let labels: Vec<u32> =
                set.iter().map(|&inside| if inside { label } else { BACKGROUND }).collect();
            all.parts.extend(Regions::new(&labels, spec, &BTreeMap::new())?.parts);
        }
        if all.parts.is_empty() { Err(Error::argument("there is no region")) } else { Ok(all) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Layout;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_place_belongs_to_its_label(h in 1usize..6, w in 1usize..6, seed in any::<u64>()) {
            let spec = TensorSpec::new("x", &[2, h, w], Layout::ChannelsFirst);
            let labels: Vec<u32> = (0..h * w).map(|i| (seed >> (2 * i % 62)) as u32 & 3).collect();
            let names = BTreeMap::from([(2, "liver".to_string())]);
            let Ok(regions) = Regions::new(&labels, &spec, &names) else {
                prop_assert!(labels.iter().all(|l| *l == 0));
                return Ok(());
            };
            prop_assert!(regions.parts.windows(2).all(|p| p[0].label < p[1].label));
            for part in &regions.parts {
                prop_assert_eq!(part.title(), if part.label == 2 { "liver".to_string() } else { format!("region {}", part.label) });
                prop_assert_eq!(part.count, labels.iter().filter(|l| **l == part.label).count());
                let (rows, columns) = (&part.bounds[0], &part.bounds[1]);
                for r in 0..h {
                    for c in 0..w {
                        let is_member = rows.contains(&r) && columns.contains(&c)
                            && part.members[(r - rows.start) * columns.len() + c - columns.start] == 1.0;
                        prop_assert_eq!(is_member, labels[r * w + c] == part.label);
                    }
                }
                // The box is tight.
                for r in [rows.start, rows.end - 1] {
                    prop_assert!(columns.clone().any(|c| labels[r * w + c] == part.label));
                }
            }
        }
    }

    #[test]
    fn sets_may_overlap() {
        let spec = TensorSpec::new("x", &[1, 2, 3], Layout::ChannelsFirst);
        let (all, row) = (vec![true; 6], vec![false, false, false, false, true, true]);
        let regions = Regions::of_sets(&[all, row.clone()], &spec).expect("two");
        let found: Vec<(u32, usize, Vec<Range<usize>>)> =
            regions.parts.into_iter().map(|part| (part.label, part.count, part.bounds)).collect();
        assert_eq!(found, [(1, 6, vec![0..2, 0..3]), (2, 2, vec![1..2, 1..3])]);
        assert!(Regions::of_sets(&[row, vec![false; 6]], &spec).is_err());
        assert!(Regions::of_sets(&[], &spec).is_err());
    }

    #[test]
    fn shares_lie_in_the_smallest_box_around_them() {
        let shares = [0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let found = Region::of_shares(7, &shares, &[4, 3]).expect("two places");
        assert_eq!(
            (found.bounds, found.members, found.count),
            (vec![1..3, 0..2], vec![0.0, 0.5, 1.0, 0.0], 2)
        );
        let line = Region::of_shares(1, &shares, &[12]).expect("two places");
        assert_eq!((line.bounds, line.members), (vec![4..7; 1], vec![0.5, 0.0, 1.0]));
        let volume = Region::of_shares(1, &shares, &[2, 2, 3]).expect("two places");
        assert_eq!((volume.bounds, volume.count), (vec![0..2, 0..2, 0..2], 2));
        assert_eq!(Region::of_shares(1, &[0.0; 4], &[2, 2]), None);
    }

    #[test]
    fn what_is_no_label_image() {
        let spec = TensorSpec::new("x", &[1, 2, 2], Layout::ChannelsFirst);
        let error = Regions::new(&[1, 2, 3], &spec, &BTreeMap::new()).expect_err("three");
        assert!(error.to_string().contains("3 labels for an input of [2, 2] places"), "{error}");
        assert!(
            Regions::new(&[0; 4], &spec, &BTreeMap::new())
                .expect_err("empty")
                .to_string()
                .contains("no region")
        );
    }
}
