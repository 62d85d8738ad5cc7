//! The verdict on one target: does its score come from the object, from the surroundings, or from both?
//!
//! In: the direct test, the judgement of the map, whether the model predicts the target. Out: a [`Verdict`] with the reasons for it in words. All thresholds are in [`Thresholds`]; the rule is [`decide`]. The direct test decides, since it asks the question
//! itself; the map and the regions elsewhere can only make it unclear.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Judgement;
use super::direct::Direct;
use crate::error::{Error, Result};

/// Where the score of a target comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// From the object.
    Object,
    /// From the object and from what is around it.
    Both,
    /// From what is around the object.
    Surroundings,
    /// It cannot be said; the reasons say why.
    Unclear,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Object => "object",
            Verdict::Both => "both",
            Verdict::Surroundings => "surroundings",
            Verdict::Unclear => "unclear",
        })
    }
}

/// What a verdict hangs on. The defaults are conventions, not measurements: a quarter is called little, three quarters most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// `object` from this share of the object in the direct test on ([`Shares::share`](super::Shares::share)).
    pub object_from: f64,
    /// `surroundings` up to this share of the object.
    pub surroundings_to: f64,
    /// The score must gain more than this over the input with everything hidden: in probability, or as a part of the larger magnitude of the two scores for other units.
    pub least_gain: f64,
    /// A class that is not the most probable one must have at least this probability to count as predicted.
    pub least_probability: f64,
    /// `object` only if its share is greater by this than that of regions of its form elsewhere (mean and a standard deviation); without such regions, than its share of the area.
    pub beyond_chance: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            object_from: 0.75,
            surroundings_to: 0.25,
            least_gain: 0.05,
            least_probability: 0.1,
            beyond_chance: 0.05,
        }
    }
}

impl Thresholds {
    /// # Errors
    /// Argument: a number outside 0 to 1, or an object's share that begins below the end of the surroundings'.
    pub fn check(&self) -> Result<()> {
        let all = [
            ("object-from", self.object_from),
            ("surroundings-to", self.surroundings_to),
            ("least-gain", self.least_gain),
            ("least-probability", self.least_probability),
            ("beyond-chance", self.beyond_chance),
        ];
        if let Some((name, value)) = all.iter().find(|(_, value)| !(0.0..=1.0).contains(value)) {
            return Err(Error::argument(format!("{name} is {value}, expected a number from 0 to 1")));
        }
        if self.object_from <= self.surroundings_to {
            return Err(Error::argument(format!(
                "object-from is {}, expected more than surroundings-to, which is {}",
                self.object_from, self.surroundings_to
            ))
            .with_hint("a share up to surroundings-to means surroundings, from object-from on it means object, between them both"));
        }
        Ok(())
    }
}

/// Whether the model predicts what is asked about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Predicted {
    /// It does, or the target is no class.
    Yes,
    /// The class has this probability on the untouched input; what the model says instead, in words.
    No { probability: f64, instead: String },
}

/// Beyond this magnitude an interaction of object and surroundings is named.
const STRONG: f64 = 0.5;

/// The rule. `strongest` is the greatest sensitivity of a window of the map.
pub(super) fn decide(
    direct: &Direct,
    evidence: Option<&Judgement>,
    strongest: f64,
    predicted: &Predicted,
    is_probability: bool,
    thresholds: &Thresholds,
) -> (Verdict, Vec<String>) {
    let unclear = |why: String| (Verdict::Unclear, vec![why]);
    if let Predicted::No { probability, instead } = predicted {
        return unclear(format!(
            "the model does not predict it: its probability is {probability:.4}, below {}; the model says {instead}",
            thresholds.least_probability
        ));
    }
    let Some(gain) = direct.gain else {
        return unclear(
            "no example hides everything with this fill, so it is not known what the score is without any input".into(),
        );
    };
    let (untouched, floor) = (direct.untouched.score, direct.untouched.score - gain);
    let scale = if is_probability { 1.0 } else { untouched.abs().max(floor.abs()) };
    let shares = direct.shares.filter(|_| gain > thresholds.least_gain * scale);
    let Some(shares) = shares else {
        return unclear(format!(
            "there is nothing to explain: the score is {} untouched and {} with everything hidden",
            number(untouched),
            number(floor)
        ));
    };
    let mut reasons = Vec::new();
    let (share, object_hidden) = (shares.share, percent(shares.lost_without));
    reasons.push(format!(
        "hiding the object takes {object_hidden} of the score, the object alone keeps {}: it has {} of it",
        percent(shares.kept_alone),
        percent(share)
    ));
    let inside = evidence.and_then(|evidence| evidence.share_inside);
    match inside {
        Some(inside) => reasons.push(format!(
            "{} of the map's evidence lies in the object, which is {} of what the map covers",
            percent(inside.value),
            percent(inside.uniform)
        )),
        None if evidence.is_some() => {
            reasons.push("no window of the map is evidence for it: the direct test alone decides".into())
        }
        None => {}
    }
    // Where no window alone does much, what the map calls evidence is too little to contradict anything.
    let contradicting = inside.filter(|_| strongest > thresholds.least_gain * gain);
    if inside.is_some() && contradicting.is_none() {
        reasons.push(format!(
            "but no window alone takes more than {} of the score: the map has no say",
            percent(thresholds.least_gain)
        ));
    }
    if shares.interaction >= STRONG {
        reasons.push("the two work together: each brings little without the other".into());
    } else if shares.interaction <= -STRONG {
        reasons.push("the two stand in for each other: each brings much without the other".into());
    }
    let verdict = if share >= thresholds.object_from {
        let elsewhere = direct.control.as_ref().and_then(|control| control.share);
        let chance = match elsewhere {
            Some(elsewhere) => elsewhere.mean + elsewhere.deviation,
            None => evidence.map_or(0.0, |evidence| evidence.object_share),
        };
        match (elsewhere, contradicting) {
            _ if share < chance + thresholds.beyond_chance => {
                reasons.push(match elsewhere {
                    Some(elsewhere) => format!(
                        "a region of its form and size elsewhere has {} ± {}: its size alone may explain it",
                        percent(elsewhere.mean),
                        percent(elsewhere.deviation)
                    ),
                    None => format!("it is {} of the area: its size alone may explain it", percent(chance)),
                });
                Verdict::Unclear
            }
            (_, Some(inside)) if inside.value < inside.uniform => {
                reasons.push(
                    "the map contradicts the direct test: its evidence is denser around the object".into(),
                );
                Verdict::Unclear
            }
            _ => Verdict::Object,
        }
    } else if share <= thresholds.surroundings_to {
        match contradicting {
            Some(inside) if inside.value >= thresholds.object_from => {
                reasons.push("the map contradicts the direct test: its evidence lies in the object".into());
                Verdict::Unclear
            }
            _ => Verdict::Surroundings,
        }
    } else {
        Verdict::Both
    };
    (verdict, reasons)
}

/// 0.123 as `12%`; small shares keep a digit.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    match value.abs() {
        // Never -0.0%.
        small if small < 0.05 => format!("{:.0}%", 0.0),
        small if small < 9.95 => format!("{value:.1}%"),
        _ => format!("{value:.0}%"),
    }
}

/// A score with four digits.
pub fn number(score: f64) -> String {
    match score.abs() {
        a if a >= 1000.0 => format!("{score:.0}"),
        a if a >= 100.0 => format!("{score:.1}"),
        a if a >= 10.0 => format!("{score:.2}"),
        _ => format!("{score:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_with_few_digits() {
        let said = [0.0, -0.0001, 0.0449, 0.0996, 0.5, 1.0, -3.0].map(percent);
        assert_eq!(said, ["0%", "0%", "4.5%", "10%", "50%", "100%", "-300%"]);
        assert_eq!([0.12345, -12.345, 123.45, 12345.6].map(number), ["0.1235", "-12.35", "123.5", "12346"]);
    }
}
