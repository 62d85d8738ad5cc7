//! A map as bytes and back, bit for bit: for pickling, and for workers on other machines.
//!
//! In: a [`Map`], or its bytes. Out: bytes, or a map that is as sound as one that a run made: what was read is checked as a whole, so nothing that draws or writes it can fail on it. The
//! envelope is in `archive`, the checks of windows in `occlusion/sound`. The picture that a map is drawn on goes by itself ([`Picture::to_bytes`](crate::Picture::to_bytes)).

use super::Map;
use crate::archive::Format;
use crate::error::Result;
use crate::input::Placement;

const FORMAT: Format = Format { magic: b"OCCLMAP\0", name: "a map", version: 3 };

/// Inputs of more elements are in no map: the engine's own bound.
const MOST_ELEMENTS: usize = 1 << 30;

impl Map {
    /// The map as bytes for [`Map::from_bytes`]. They hold every number bit for bit (NaN too), the windows, names, settings and provenance. Only the same version of the format reads
    /// them; to keep maps for years or for other programs, write `.npz` or `.json`.
    ///
    /// ```no_run
    /// # let model = occlude::Model::open("model.onnx")?;
    /// # let input = model.read_input("cat.jpg")?;
    /// let map = model.occlusion().run(&input)?;
    /// let again = occlude::Map::from_bytes(&map.to_bytes())?;
    /// assert_eq!(again.targets, map.targets);
    /// # Ok::<(), occlude::Error>(())
    /// ```
    pub fn to_bytes(&self) -> Vec<u8> {
        FORMAT.write(self)
    }

    /// A map from what [`Map::to_bytes`] wrote.
    ///
    /// # Errors
    /// File: bytes that are no map, of another version of the format, cut off or changed; a map that does not hold together (an array shorter than its targets and windows need, windows
    /// outside the input).
    pub fn from_bytes(bytes: &[u8]) -> Result<Map> {
        let map: Map = FORMAT.read(bytes)?;
        map.check_sound().map_err(|what| FORMAT.damaged(&what))?;
        Ok(map)
    }

    /// # Errors
    /// What does not hold together, in words.
    pub(crate) fn check_sound(&self) -> Result<(), String> {
        let spec = &self.input;
        let elements = spec.shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
        if !elements.is_some_and(|n| (1..=MOST_ELEMENTS).contains(&n)) {
            return Err(format!("its input is {spec}, expected 1 to {MOST_ELEMENTS} elements"));
        }
        if let Some(axis) = spec.channel_axis.filter(|&axis| axis >= spec.shape.len()) {
            return Err(format!("its input {spec} has no axis {axis} for channels"));
        }
        self.windows.check_sound(spec)?;
        self.check_arrays()?;
        self.check_geometry()
    }

    fn check_arrays(&self) -> Result<(), String> {
        let (targets, windows) = (self.targets.len(), self.windows.len());
        let needed =
            targets.checked_mul(windows).filter(|&n| n > 0).ok_or("it has no target or no window")?;
        let arrays = [
            ("sensitivity", self.sensitivity.len(), needed),
            ("scores", self.scores.len(), needed),
            ("noise_spread", self.noise_spread.as_ref().map_or(needed, Vec::len), needed),
            ("most_probable", self.most_probable.as_ref().map_or(windows, |m| m.windows.len()), windows),
        ];
        let of_signs = self.stability.iter().flat_map(|found| {
            let agreement = ("agreement", found.agreement.len(), needed);
            [agreement, ("depends", found.depends.len(), needed), ("signs", found.targets.len(), targets)]
        });
        for (name, found, wanted) in arrays.into_iter().chain(of_signs) {
            if found != wanted {
                return Err(format!(
                    "{name} has {found} numbers, its {targets} targets and {windows} windows need {wanted}"
                ));
            }
        }
        let named = self.check.iter().flat_map(|check| &check.windows);
        let mut named = named.chain(self.approximation.iter().flat_map(|found| &found.windows));
        if let Some(window) = named.find(|&&window| window >= windows) {
            return Err(format!("it names window {window} of {windows}"));
        }
        let known = self.scores_of(0).iter().filter(|score| !score.is_nan()).count();
        if self.computed != known {
            return Err(format!(
                "it says that {} windows were computed, {known} have a score",
                self.computed
            ));
        }
        Ok(())
    }

    fn check_geometry(&self) -> Result<(), String> {
        let (geometry, places) = (&self.geometry, self.input.spatial());
        let rank = places.len();
        if geometry.size != places || geometry.source_size.len() != rank || geometry.axes.len() != rank {
            return Err(format!(
                "its geometry is of {:?} from {:?} by {} axes, its input has places {places:?}",
                geometry.size,
                geometry.source_size,
                geometry.axes.len()
            ));
        }
        if geometry.axes.iter().any(|axis| !axis.offset.is_finite() || !axis.scale.is_finite()) {
            return Err("its geometry has a scale or an offset that is no number".into());
        }
        geometry.placement.as_ref().map_or(Ok(()), |placement| check_placement(placement, rank))
    }
}

/// A map is written over its scan voxel by voxel: the scan must have some, its three axes, and a place.
fn check_placement(placement: &Placement, rank: usize) -> Result<(), String> {
    let mut axes = placement.axes.map(|(axis, _)| axis);
    axes.sort_unstable();
    let voxels = placement.size.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    let is_placed = rank == 3 || (rank == 2 && placement.slice.is_some());
    if axes != [0, 1, 2] || !is_placed || !voxels.is_some_and(|n| (1..=MOST_ELEMENTS).contains(&n)) {
        return Err(format!(
            "it lies along the axes {:?} of a volume of {:?} voxels, its input has {rank} axes of places",
            placement.axes, placement.size
        ));
    }
    if placement.affine.iter().flatten().any(|v| !v.is_finite()) {
        return Err("the affine of its volume has an entry that is no number".into());
    }
    Ok(())
}
