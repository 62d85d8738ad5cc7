//! Judgement of a map given the object: does the evidence for the target lie in the object or around it?
//!
//! In: a [`Map`] (or evidence per place from elsewhere), the object as boxes or a mask ([`Object`]). Out: a [`Judgement`]: the localisation measures of the literature by their formulas, each beside the value that a map without
//! any preference would give. The formulas are in `measures`, how an object becomes places in `object`. Beside the map stands the direct test (`direct`: the object hidden, everything else hidden, regions `elsewhere`), and
//! from both follows the verdict (`verdict`); `findings` puts an input through all of it.

mod direct;
mod elsewhere;
mod findings;
mod measures;
mod object;
mod verdict;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::map::Map;
use crate::occlusion::{AxisRole, Windows};
use crate::tensor::shape_text;

pub use direct::{Control, Direct, Shares, Shown, Spread};
pub use findings::{Finding, Findings, JudgeOptions};
pub use object::Object;
pub use verdict::{Thresholds, Verdict, number, percent};

/// The tolerance of the pointing game as Zhang et al. play it (a margin of 15 pixels), and TorchRay and MindSpore-XAI after them. They count pixels of the picture that the mask is drawn on; here elements of the input are counted.
pub const POINTING_TOLERANCE: f64 = 15.0;

/// A measure, and what it would be for a uniform map: the same evidence at every place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Of this map.
    pub value: f64,
    /// Of a uniform map.
    pub uniform: f64,
}

/// The pointing game: does the place of the largest evidence lie in the object?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pointing {
    /// A place is a hit if it lies in the object, or if one of the object is nearer than this (Euclidean, between middles of elements, in elements of the input).
    pub tolerance: f64,
    /// The place of the largest evidence, one index per spatial axis; the first one, where several are equally large.
    pub place: Vec<usize>,
    /// Number of equally large places: windows give all their elements the same evidence.
    pub tied: usize,
    /// 1 for a hit, 0 for a miss; of tied places the share that hits, as if one of them were drawn. A uniform map ties all places.
    pub hit: Judged,
}

/// Where the evidence for one target lies. Evidence `e` of a place is the map's attribution there, in the map's unit; only positive evidence `p = max(e, 0)` counts, what speaks against the target does not.
/// `O` are the places of the object, `C` those that the map covers; places outside `C` are left out of everything.
///
/// Measures are `None` where nothing is positive: then the map says nothing about where the evidence is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Places of the input (elements of its spatial axes).
    pub places: usize,
    /// Of them covered by a window that was computed: `|C|`.
    pub covered: usize,
    /// Places of the object: `|O|`.
    pub object_places: usize,
    /// Of them covered: `|O and C|`.
    pub object_covered: usize,
    /// Sum of `p` over `O`, in the unit of the map.
    pub evidence_inside: f64,
    /// Sum of `p` over `C` without `O`, in the unit of the map.
    pub evidence_outside: f64,
    /// `|O and C| / |C|`, 0 to 1: the part of the input that the object is.
    pub object_share: f64,
    /// `sum of p over O / sum of p`, 0 to 1; uniform: `object_share`. Mass accuracy (Arras, Osman and Samek, "CLEVR-XAI", Information Fusion 81, 2022), also called the energy-based pointing game
    /// (Wang et al., "Score-CAM", CVPR Workshops 2020).
    pub share_inside: Option<Judged>,
    /// The pointing game (Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016).
    pub pointing: Option<Pointing>,
    /// `|the K places with the largest e, and O| / K` with `K = |O and C|`, 0 to 1; uniform: `object_share`. Where places tie for the last ranks, the mean over all ways to choose. Rank accuracy (Arras et al. 2022).
    pub rank_accuracy: Option<Judged>,
    /// `(sum of p over O / |O and C|) / (sum of p over C without O / |C without O|)`, 0 or more; uniform: 1. How many times as dense the evidence is inside. `None` also where nothing positive lies outside.
    pub density_ratio: Option<Judged>,
    /// What was left out or cannot be said, in words.
    pub notes: Vec<String>,
}

/// Judges evidence per place: `evidence` and `inside` row-major over the spatial axes `shape`, NaN where nothing is known; `tolerance` of the pointing game in elements, 0 for none ([`POINTING_TOLERANCE`]).
///
/// # Errors
/// Argument: lengths that are not those of the shape, an object without a place or without a covered one, a tolerance that is negative or no number. Number: infinite evidence.
pub fn judge(evidence: &[f32], inside: &[bool], shape: &[usize], tolerance: f64) -> Result<Judgement> {
    check(evidence, inside, shape, tolerance)?;
    let found = measures::Places::new(evidence, inside);
    let (covered, object_covered) = (found.covered, found.object_covered);
    let object_places = inside.iter().filter(|inside| **inside).count();
    let mut notes = Vec::new();
    if covered < evidence.len() {
        notes.push(format!(
            "{} of {} places are covered by no window and left out, {} of them in the object",
            evidence.len() - covered,
            evidence.len(),
            object_places - object_covered
        ));
    }
    if object_covered == 0 {
        let all = if object_places == 1 { "its only place is" } else { "all of its places are" };
        return Err(Error::argument(format!("no window covers the object: {all} without evidence"))
            .with_hint("lay windows over the object: leave out the region of interest, or choose a stride of at most the window"));
    }
    let object_share = object_covered as f64 / covered as f64;
    let (evidence_inside, evidence_outside) = (found.positive_inside, found.positive_outside);
    let is_any = evidence_inside + evidence_outside > 0.0;
    if !is_any {
        notes.push(
            "nothing is evidence for the target anywhere: measures of where it lies are not given".into(),
        );
    }
    let judged =
        |value: Option<f64>, uniform: f64| value.filter(|_| is_any).map(|value| Judged { value, uniform });
    let pointing = is_any.then(|| {
        let hits = measures::near(inside, shape, tolerance);
        let pointed = measures::pointed(evidence, &hits);
        Pointing {
            tolerance,
            place: unravel(pointed.first, shape),
            tied: pointed.tied,
            hit: Judged { value: pointed.share, uniform: pointed.share_of_all },
        }
    });
    if is_any && evidence_outside == 0.0 {
        notes.push(
            "no evidence for the target lies outside the object: the ratio of densities has no value".into(),
        );
    }
    Ok(Judgement {
        places: evidence.len(),
        covered,
        object_places,
        object_covered,
        evidence_inside,
        evidence_outside,
        object_share,
        share_inside: judged(found.share_inside(), object_share),
        pointing,
        rank_accuracy: judged(Some(measures::rank_accuracy(evidence, inside)), object_share),
        density_ratio: judged(found.density_ratio(), 1.0),
        notes,
    })
}

impl Map {
    /// Judges the map given the object, one judgement per target. What is judged is the [attribution](Map::attribution), whatever the map's definition; see [`Map::evidence_of_places`].
    /// `tolerance` is that of the pointing game, in elements of the input, 0 for none ([`POINTING_TOLERANCE`]).
    ///
    /// ```no_run
    /// # let model = occlude::Model::open("model.onnx")?;
    /// # let input = model.read_input("cat.jpg")?;
    /// let map = model.occlusion().run(&input)?;
    /// // Rows 20 to 180 and columns 40 to 200 of cat.jpg.
    /// let cat = occlude::Object::SourceBoxes(vec![vec![20.0..180.0, 40.0..200.0]]);
    /// for judgement in map.judge(&cat, occlude::judge::POINTING_TOLERANCE)? {
    ///     println!("{:?}", judgement.share_inside);
    /// }
    /// # Ok::<(), occlude::Error>(())
    /// ```
    ///
    /// # Errors
    /// Argument: an object that is empty, outside the input, or not covered by any window; a tolerance that is negative or no number. Number: infinite evidence.
    pub fn judge(&self, object: &Object, tolerance: f64) -> Result<Vec<Judgement>> {
        let inside = object.places(&self.input, &self.geometry)?;
        let spatial = self.input.spatial();
        let all = self.evidence_of_places();
        let of = |evidence: &[f32]| {
            let mut judgement = judge(evidence, &inside, &spatial, tolerance)?;
            if let Windows::Masks(..) = self.windows {
                judgement.notes.insert(
                    0,
                    "random masks: evidence is RISE's estimate less its mean over all places".into(),
                );
            }
            Ok(judgement)
        };
        all.chunks_exact(inside.len()).map(of).collect()
    }

    /// `[T, spatial...]`: the attribution per place; where windows have their own size along the channels, the mean over the covered channels of a place; of random masks the estimate less its mean, since its
    /// level is that of the scores. NaN = not covered.
    pub fn evidence_of_places(&self) -> Vec<f32> {
        let values = self.attribution().values;
        let places: usize = self.input.spatial().iter().product();
        let channels = match self.windows.elements().axes.first() {
            Some(axis) if axis.role == AxisRole::Channel => axis.length,
            _ => 1,
        };
        let mut all = Vec::with_capacity(self.targets.len() * places);
        for of_target in values.chunks_exact((channels * places).max(1)) {
            all.extend(over_channels(of_target, places));
        }
        if let Windows::Masks(..) = self.windows {
            all.chunks_exact_mut(places.max(1)).for_each(less_mean);
        }
        all
    }
}

/// `[channels, places]` as the mean over the channels that are known at a place.
pub(crate) fn over_channels(values: &[f32], places: usize) -> Vec<f32> {
    let mean = |place: usize| {
        let known = values[place..].iter().step_by(places).filter(|v| !v.is_nan());
        let (sum, count) = known.fold((0.0, 0), |(sum, n), &v| (sum + f64::from(v), n + 1));
        (sum / f64::from(count)) as f32
    };
    (0..places).map(mean).collect()
}

/// Numbers less their mean.
pub(crate) fn less_mean(values: &mut [f32]) {
    let mean = values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|v| *v -= mean as f32);
}

fn check(evidence: &[f32], inside: &[bool], shape: &[usize], tolerance: f64) -> Result<()> {
    let places = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    if places != Some(evidence.len()) || evidence.len() != inside.len() {
        return Err(Error::argument(format!(
            "{} numbers of evidence and a mask of {} places for {}",
            evidence.len(),
            inside.len(),
            shape_text(shape)
        )));
    }
    if !inside.contains(&true) {
        return Err(Error::argument("the object is empty: no place lies in it"));
    }
    if !tolerance.is_finite() || tolerance < 0.0 {
        return Err(Error::argument(format!("the tolerance is {tolerance}, expected elements from 0 on")));
    }
    if let Some(at) = evidence.iter().position(|v| v.is_infinite()) {
        let place = unravel(at, shape);
        return Err(Error::number(format!("the evidence at {} is {}", shape_text(&place), evidence[at])));
    }
    Ok(())
}

/// The place of an element, one index per axis.
pub(crate) fn unravel(at: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = at;
    let mut place = vec![0; shape.len()];
    for (index, &length) in place.iter_mut().zip(shape).rev() {
        (*index, rest) = (rest % length, rest / length);
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f32 = f32::NAN;

    fn mask(text: &str) -> Vec<bool> {
        text.chars().filter(|c| !c.is_whitespace()).map(|c| c == '#').collect()
    }

    #[test]
    fn by_hand() {
        // The object is the left half of the upper row; evidence against the target does not count.
        let evidence = [4.0, 2.0, -9.0, 1.0, 0.0, 3.0, 0.0, NAN];
        let found = judge(&evidence, &mask("##.. ...."), &[2, 4], 0.0).expect("judged");
        assert_eq!((found.places, found.covered, found.object_places, found.object_covered), (8, 7, 2, 2));
        assert_eq!((found.evidence_inside, found.evidence_outside), (6.0, 4.0));
        assert_eq!(found.object_share, 2.0 / 7.0);
        assert_eq!(found.share_inside, Some(Judged { value: 0.6, uniform: 2.0 / 7.0 }));
        // The two largest are 4 (inside) and 3 (outside).
        assert_eq!(found.rank_accuracy, Some(Judged { value: 0.5, uniform: 2.0 / 7.0 }));
        assert_eq!(found.density_ratio, Some(Judged { value: (6.0 / 2.0) / (4.0 / 5.0), uniform: 1.0 }));
        let pointing = found.pointing.expect("some evidence");
        assert_eq!((pointing.place, pointing.tied), (vec![0, 0], 1));
        assert_eq!(pointing.hit, Judged { value: 1.0, uniform: 2.0 / 7.0 });
        assert_eq!(
            found.notes,
            ["1 of 8 places are covered by no window and left out, 0 of them in the object"]
        );
    }

    #[test]
    fn a_uniform_map_gets_the_values_of_chance() {
        for (text, tolerance) in [("#... ....", 0.0), (".##. .#..", 1.5), ("#### ####", 0.0)] {
            let found = judge(&[0.25; 8], &mask(text), &[2, 4], tolerance).expect("judged");
            let pointing = found.pointing.expect("some evidence");
            assert_eq!((pointing.tied, pointing.hit.value), (8, pointing.hit.uniform));
            for judged in [found.share_inside, found.rank_accuracy] {
                let judged = judged.expect("some evidence");
                assert!((judged.value - judged.uniform).abs() < 1e-12, "{text}: {judged:?}");
            }
            match found.density_ratio {
                Some(ratio) => assert_eq!(ratio, Judged { value: 1.0, uniform: 1.0 }),
                None => assert_eq!(text, "#### ####"),
            }
        }
    }

    #[test]
    fn the_tolerance_reaches_beyond_the_object() {
        let evidence = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0];
        let hit = |tolerance: f64| {
            let found = judge(&evidence, &mask("#... #..."), &[2, 4], tolerance).expect("judged");
            (found.pointing.as_ref().expect("some").hit.value, found.pointing.expect("some").hit.uniform)
        };
        // The nearest place of the object is 3 away, and nearer is meant.
        assert_eq!(hit(3.0), (0.0, 6.0 / 8.0));
        assert_eq!(hit(3.1), (1.0, 1.0));
        assert_eq!(hit(1.0), (0.0, 2.0 / 8.0));
        assert_eq!(hit(1e12), (1.0, 1.0));
    }

    #[test]
    fn ties_are_broken_as_if_drawn() {
        // Three places share the largest evidence, one of them in the object.
        let found = judge(&[7.0, 7.0, 7.0, 1.0], &mask("#..#"), &[4], 0.0).expect("judged");
        let pointing = found.pointing.expect("some evidence");
        assert_eq!((pointing.tied, pointing.hit.value), (3, 1.0 / 3.0));
        // Two of the three are among the first two: of 2 ranks, 2/3 hold the object.
        assert!((found.rank_accuracy.expect("some").value - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn without_evidence_nothing_is_divided() {
        let found = judge(&[-1.0, 0.0, -2.0, NAN], &mask("#..."), &[4], 0.0).expect("judged");
        assert_eq!((found.evidence_inside, found.evidence_outside), (0.0, 0.0));
        assert_eq!(
            (found.share_inside, found.pointing, found.rank_accuracy, found.density_ratio),
            (None, None, None, None)
        );
        assert!(found.notes[1].contains("nothing is evidence for the target"), "{:?}", found.notes);
        let all_inside = judge(&[1.0, 0.0], &mask("#."), &[2], 0.0).expect("judged");
        assert_eq!(all_inside.share_inside.expect("some").value, 1.0);
        assert_eq!(all_inside.density_ratio, None);
        assert!(
            all_inside.notes[0].contains("no evidence for the target lies outside"),
            "{:?}",
            all_inside.notes
        );
        let none_inside = judge(&[0.0, 1.0], &mask("#."), &[2], 0.0).expect("judged");
        assert_eq!(none_inside.density_ratio.expect("some").value, 0.0);
    }

    #[test]
    fn what_cannot_be_judged() {
        let error = |evidence: &[f32], text: &str, tolerance: f64| {
            judge(evidence, &mask(text), &[2], tolerance).expect_err("refused").to_string()
        };
        assert!(error(&[1.0, 2.0], "..", 0.0).contains("the object is empty"));
        assert!(error(&[NAN, 2.0], "#.", 0.0).contains("no window covers the object"));
        assert!(
            error(&[1.0, 2.0], "#..", 0.0).contains("2 numbers of evidence and a mask of 3 places for [2]")
        );
        assert!(error(&[1.0, 2.0], "#.", -1.0).contains("the tolerance is -1"));
        assert!(error(&[1.0, 2.0], "#.", f64::NAN).contains("the tolerance is NaN"));
        assert!(error(&[1.0, f32::INFINITY], "#.", 0.0).contains("the evidence at [1] is inf"));
    }

    #[test]
    fn a_judgement_survives_json() {
        let found = judge(&[1.0, 0.0], &mask("#."), &[2], 0.0).expect("judged");
        let text = serde_json::to_string(&found).expect("JSON");
        assert_eq!(serde_json::from_str::<Judgement>(&text).expect("its own"), found);
    }
}
