//! What the rows of an audit say together.
//!
//! In: rows, one after the other. Out: a [`Summary`]: shares of verdicts with intervals, overall and per class, correct against wrong, the images most driven by their surroundings, the average map of the frame. Memory grows with classes, not with rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::interval::{Difference, ENOUGH, Gathered, Mean, Share, Sum};
use super::row::Row;

/// Shares of verdicts among the rows that have one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdicts {
    /// Rows that were judged.
    pub judged: u64,
    /// Verdict `object`.
    pub object: Share,
    /// Verdict `both`.
    pub both: Share,
    /// Verdict `surroundings`.
    pub surroundings: Share,
    /// Verdict `unclear`.
    pub unclear: Share,
    /// `surroundings` of those that are clear (`object`, `both` and `surroundings`): what a bound is held against.
    pub surroundings_of_clear: Share,
    /// The object's share of the score, over rows with a clear verdict.
    pub share: Mean,
    /// The share of the map's evidence inside the object.
    pub share_inside: Mean,
    /// What a uniform map would have.
    pub share_inside_uniform: Mean,
}

/// Verdicts of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfClass {
    /// What the data set calls it; where it says nothing, the target.
    pub class: String,
    /// Rows of the class, those with errors included.
    pub rows: u64,
    /// Share of its images with a known answer in which the model's most probable class is right.
    pub correct: Share,
    /// Its verdicts.
    pub verdicts: Verdicts,
}

/// A row that is shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// The image's name in the data set.
    pub path: String,
    /// The key of its rows.
    pub key: String,
    /// What was measured.
    pub target: String,
    /// The same as it can be asked for again.
    pub target_spec: String,
    /// What the data set says it shows.
    pub classes: Vec<String>,
    /// Whether the most probable class is right.
    pub correct: Option<bool>,
    /// The verdict.
    pub verdict: String,
    /// The object's share of the score.
    pub share: f64,
    /// Part of the gain that the surroundings alone bring: 1 - lost_without.
    pub without_object: Option<f64>,
    /// The share of the evidence inside the object.
    pub share_inside: Option<f64>,
}

/// The average map: evidence per cell of the frame, over all rows alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AverageMap {
    /// Cells along each spatial axis.
    pub shape: Vec<i64>,
    /// Rows in it: those in which something is evidence.
    pub rows: u64,
    /// Density of the evidence per cell, row-major: its mean share times the number of cells, so that 1 is what every cell of a uniform map has.
    pub density: Vec<f64>,
    /// Standard error of each.
    pub standard_error: Vec<f64>,
    /// Share of the rows in which the cell has more than a uniform map's share.
    pub above_uniform: Vec<f64>,
    /// Density of the objects per cell: 1 is an even spread, so 4 means that the objects lie there four times as densely. `None` where no row has an object.
    pub object_density: Option<Vec<f64>>,
    /// Cells that draw evidence across images, strongest first: twice as dense as an even spread and as the objects there, more than uniform in most rows, and 4 standard errors above 1. None below 20 images, where chance does that too.
    pub drawing: Vec<usize>,
}

impl AverageMap {
    /// A cell of the frame in words, as percent of the axes: `0–6% from the top, 93–100% from the left`.
    pub fn place(&self, cell: usize) -> String {
        let mut rest = cell;
        let percent = |&count: &i64| {
            let count = usize::try_from(count).unwrap_or(1).max(1);
            let at = rest % count;
            rest /= count;
            format!("{}–{}%", at * 100 / count, (at + 1) * 100 / count)
        };
        let mut parts: Vec<String> = self.shape.iter().rev().map(percent).collect();
        parts.reverse();
        match &parts[..] {
            [rows, columns] => format!("{rows} from the top, {columns} from the left"),
            parts => parts.join(" × "),
        }
    }
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Rows in all.
    pub rows: u64,
    /// Images in all. Where they have several rows, intervals of verdicts take these for independent, and are too narrow.
    pub images: u64,
    /// Rows with an error.
    pub errors: u64,
    /// The first errors by path, `[path, error]`.
    pub first_errors: Vec<[String; 2]>,
    /// Share of the images with a known answer in which the model's most probable class is right.
    pub correct: Share,
    /// All verdicts.
    pub verdicts: Verdicts,
    /// Verdicts where the prediction is right.
    pub when_correct: Verdicts,
    /// Verdicts where it is wrong.
    pub when_wrong: Verdicts,
    /// Share of `surroundings` (of clear verdicts) where wrong, less that where right.
    pub wrong_less_correct: Option<Difference>,
    /// Per class, the most driven by surroundings first.
    pub classes: Vec<OfClass>,
    /// The rows whose object has the least share of the score, verdict `unclear` left out, least first.
    pub most_surroundings: Vec<Shown>,
    /// The average map; one, of the frame that most rows have.
    pub average: Option<AverageMap>,
    /// Images whose class, as the data set calls it, is no class of the model: there `correct` is not known.
    pub unknown_classes: u64,
}

/// Errors that are listed.
const ERRORS: usize = 20;

/// Gathers a [`Summary`].
#[derive(Debug)]
pub(super) struct Gathering {
    shown: usize,
    rows: u64,
    images: u64,
    /// The image of the last row; rows of one image follow each other.
    last: Option<String>,
    errors: u64,
    unknown: u64,
    first_errors: Vec<[String; 2]>,
    all: Tally,
    correct: Tally,
    wrong: Tally,
    classes: BTreeMap<String, Tally>,
    most: Vec<Shown>,
    frames: BTreeMap<Vec<i64>, Frame>,
}

impl Gathering {
    /// `shown` rows are kept for the list of those most driven by surroundings.
    pub(super) fn new(shown: usize) -> Self {
        Gathering {
            shown,
            rows: 0,
            images: 0,
            last: None,
            errors: 0,
            unknown: 0,
            first_errors: Vec::new(),
            all: Tally::default(),
            correct: Tally::default(),
            wrong: Tally::default(),
            classes: BTreeMap::new(),
            most: Vec::new(),
            frames: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, row: &Row) {
        self.rows += 1;
        let is_new = self.last.as_deref() != Some(&row.path);
        if is_new {
            self.images += 1;
            self.last = Some(row.path.clone());
        }
        let of_target = || row.target.clone().into_iter().collect::<Vec<_>>();
        let classes = if row.classes.is_empty() { of_target() } else { row.classes.clone() };
        if let Some(error) = &row.error {
            self.errors += 1;
            // By name, so that the list does not hang on the order of rows.
            let at = self.first_errors.partition_point(|[path, _]| *path < row.path);
            if at < ERRORS {
                self.first_errors.insert(at, [row.path.clone(), error.clone()]);
                self.first_errors.truncate(ERRORS);
            }
        } else if is_new
            && !row.classes.is_empty()
            && row.correct.is_none()
            && row.most_probable_class.is_some()
        {
            self.unknown += 1;
        }
        let by_answer = match row.correct {
            Some(true) => Some(&mut self.correct),
            Some(false) => Some(&mut self.wrong),
            None => None,
        };
        std::iter::once(&mut self.all).chain(by_answer).for_each(|tally| tally.add(row, is_new));
        for class in classes {
            self.classes.entry(class).or_default().add(row, is_new);
        }
        self.keep(row);
        if !row.frame.is_empty() {
            self.frames
                .entry(row.frame_shape.clone())
                .or_insert_with(|| Frame::new(row.frame.len()))
                .add(row, is_new);
        }
    }

    /// Keeps the row if it is among those most driven by surroundings.
    fn keep(&mut self, row: &Row) {
        let (Some(share), Some(verdict)) = (row.share, &row.verdict) else { return };
        if verdict == "unclear" {
            return;
        }
        // The name decides between equals, so that the list does not hang on the order of rows.
        let before =
            |shown: &Shown| shown.share.total_cmp(&share).then_with(|| shown.path.cmp(&row.path)).is_lt();
        let at = self.most.partition_point(before);
        if at >= self.shown {
            return;
        }
        self.most.insert(
            at,
            Shown {
                path: row.path.clone(),
                key: row.key.clone(),
                target: row.target.clone().unwrap_or_default(),
                target_spec: row.target_spec.clone().unwrap_or_default(),
                classes: row.classes.clone(),
                correct: row.correct,
                verdict: verdict.clone(),
                share,
                without_object: row.lost_without.map(|lost| 1.0 - lost),
                share_inside: row.share_inside,
            },
        );
        self.most.truncate(self.shown);
    }

    pub(super) fn summary(self) -> Summary {
        let of_class = |(class, tally): (String, Tally)| OfClass {
            class,
            rows: tally.rows,
            correct: Share::new(tally.correct, tally.answered),
            verdicts: tally.verdicts(),
        };
        let mut classes: Vec<OfClass> = self.classes.into_iter().map(of_class).collect();
        let driven = |class: &OfClass| class.verdicts.surroundings_of_clear.share.unwrap_or(-1.0);
        // Sorting keeps equals in the order of their names.
        classes.sort_by(|a, b| driven(b).total_cmp(&driven(a)));
        let (when_correct, when_wrong) = (self.correct.verdicts(), self.wrong.verdicts());
        let most_common = self.frames.into_iter().max_by_key(|(_, frame)| frame.rows);
        Summary {
            rows: self.rows,
            images: self.images,
            errors: self.errors,
            first_errors: self.first_errors,
            correct: Share::new(self.all.correct, self.all.answered),
            verdicts: self.all.verdicts(),
            wrong_less_correct: when_wrong.surroundings_of_clear.less(&when_correct.surroundings_of_clear),
            when_correct,
            when_wrong,
            classes,
            most_surroundings: self.most,
            average: most_common.map(|(shape, frame)| frame.average(shape)),
            unknown_classes: self.unknown,
        }
    }
}

/// Verdicts that are counted.
#[derive(Clone, Debug, Default, PartialEq)]
struct Tally {
    rows: u64,
    answered: u64,
    correct: u64,
    object: u64,
    both: u64,
    surroundings: u64,
    unclear: u64,
    share: Gathered,
    share_inside: Gathered,
    share_inside_uniform: Gathered,
}

impl Tally {
    fn add(&mut self, row: &Row, is_new: bool) {
        self.rows += 1;
        if let Some(correct) = row.correct.filter(|_| is_new) {
            self.answered += 1;
            self.correct += u64::from(correct);
        }
        match row.verdict.as_deref() {
            Some("object") => self.object += 1,
            Some("both") => self.both += 1,
            Some("surroundings") => self.surroundings += 1,
            Some(_) => self.unclear += 1,
            None => {}
        }
        let is_clear = row.verdict.as_deref().is_some_and(|verdict| verdict != "unclear");
        let numbers = [
            (&mut self.share, row.share.filter(|_| is_clear)),
            (&mut self.share_inside, row.share_inside),
            (&mut self.share_inside_uniform, row.share_inside_uniform),
        ];
        for (gathered, value) in numbers {
            if let Some(value) = value {
                gathered.add(value);
            }
        }
    }

    fn verdicts(&self) -> Verdicts {
        let clear = self.object + self.both + self.surroundings;
        let judged = clear + self.unclear;
        Verdicts {
            judged,
            object: Share::new(self.object, judged),
            both: Share::new(self.both, judged),
            surroundings: Share::new(self.surroundings, judged),
            unclear: Share::new(self.unclear, judged),
            surroundings_of_clear: Share::new(self.surroundings, clear),
            share: self.share.mean(),
            share_inside: self.share_inside.mean(),
            share_inside_uniform: self.share_inside_uniform.mean(),
        }
    }
}

/// Shares of the evidence per cell, summed over rows.
#[derive(Clone, Debug)]
struct Frame {
    rows: u64,
    images: u64,
    sum: Vec<Sum>,
    squares: Vec<Sum>,
    above: Vec<u64>,
    objects: u64,
    object: Vec<Sum>,
}

/// What draws evidence has at least so many times the density of an even spread, and of the objects there ...
const DRAWS_FROM: f64 = 2.0;
/// ... and is so many standard errors above 1.
const DRAWS_ERRORS: f64 = 4.0;

impl Frame {
    fn new(cells: usize) -> Self {
        Frame {
            rows: 0,
            images: 0,
            sum: vec![Sum::default(); cells],
            squares: vec![Sum::default(); cells],
            above: vec![0; cells],
            objects: 0,
            object: vec![Sum::default(); cells],
        }
    }

    fn add(&mut self, row: &Row, is_new: bool) {
        self.rows += 1;
        self.images += u64::from(is_new);
        let cells = self.sum.len() as f64;
        let sums = self.sum.iter_mut().zip(&mut self.squares).zip(&mut self.above);
        for (((sum, squares), above), share) in sums.zip(&row.frame) {
            let density = share * cells;
            sum.add(density);
            squares.add(density * density);
            *above += u64::from(density > 1.0);
        }
        self.objects += u64::from(!row.frame_object.is_empty());
        for (sum, share) in self.object.iter_mut().zip(&row.frame_object) {
            sum.add(share * cells);
        }
    }

    fn average(&self, shape: Vec<i64>) -> AverageMap {
        let n = self.rows as f64;
        let density: Vec<f64> = self.sum.iter().map(|sum| sum.value() / n).collect();
        let error = |(squares, mean): (&Sum, &f64)| {
            ((squares.value() / n - mean * mean).max(0.0) / (n - 1.0).max(1.0)).sqrt()
        };
        let standard_error: Vec<f64> = self.squares.iter().zip(&density).map(error).collect();
        let above_uniform: Vec<f64> = self.above.iter().map(|&above| above as f64 / n).collect();
        let of_objects = |sum: &Sum| sum.value() / self.objects as f64;
        let object_density: Option<Vec<f64>> =
            (self.objects > 0).then(|| self.object.iter().map(of_objects).collect());
        let draws = |&cell: &usize| {
            self.images >= ENOUGH
                && density[cell]
                    >= DRAWS_FROM * object_density.as_ref().map_or(1.0, |object| object[cell].max(1.0))
                && above_uniform[cell] > 0.5
                && density[cell] - 1.0 > DRAWS_ERRORS * standard_error[cell]
        };
        let mut drawing: Vec<usize> = (0..density.len()).filter(draws).collect();
        drawing.sort_by(|&a, &b| density[b].total_cmp(&density[a]).then(a.cmp(&b)));
        AverageMap { shape, rows: self.rows, density, standard_error, above_uniform, object_density, drawing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(path: &str, class: &str, verdict: &str, share: f64, correct: bool) -> Row {
        Row {
            path: path.into(),
            classes: vec![class.into()],
            verdict: Some(verdict.into()),
            share: Some(share),
            correct: Some(correct),
            most_probable_class: Some(0),
            ..Row::default()
        }
    }

    #[test]
    fn verdicts_are_counted_overall_per_class_and_by_answer() {
        let mut gathering = Gathering::new(2);
        for row in [
            row("a", "cat", "object", 0.9, true),
            row("b", "cat", "surroundings", 0.1, false),
            row("c", "dog", "surroundings", 0.1, false),
            row("d", "dog", "unclear", -0.5, true),
            row("e", "dog", "both", 0.5, true),
            Row::failed("f", "", &["dog".into()], &crate::Error::file("broken")),
        ] {
            gathering.add(&row);
        }
        let found = gathering.summary();
        assert_eq!((found.rows, found.images, found.errors, found.first_errors.len()), (6, 6, 1, 1));
        assert_eq!((found.correct.count, found.correct.of), (3, 5));
        let counts =
            |v: &Verdicts| [v.object.count, v.both.count, v.surroundings.count, v.unclear.count, v.judged];
        assert_eq!(counts(&found.verdicts), [1, 1, 2, 1, 5]);
        assert_eq!(counts(&found.when_wrong), [0, 0, 2, 0, 2]);
        assert_eq!(
            (found.verdicts.surroundings_of_clear.count, found.verdicts.surroundings_of_clear.of),
            (2, 4)
        );
        assert_eq!(found.wrong_less_correct.map(|d| d.difference), Some(1.0));
        let names: Vec<(&str, u64)> = found.classes.iter().map(|c| (c.class.as_str(), c.rows)).collect();
        assert_eq!(names, [("cat", 2), ("dog", 4)]);
        // Of equals the name decides; what is unclear is not shown.
        assert_eq!(found.most_surroundings.iter().map(|s| s.path.as_str()).collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn a_place_that_draws_evidence_in_all_images_shows_up() {
        let mut gathering = Gathering::new(1);
        for image in 0..50u64 {
            // The last of 16 cells has a third of it everywhere, the rest wanders.
            let mut frame = vec![0.0; 16];
            frame[15] = 1.0 / 3.0;
            frame[(image * 7 % 15) as usize] += 2.0 / 3.0;
            gathering.add(&Row { path: image.to_string(), frame, frame_shape: vec![4, 4], ..Row::default() });
        }
        let average = gathering.summary().average.expect("some");
        assert_eq!((average.rows, average.drawing.as_slice()), (50, &[15][..]));
        assert!((average.density[15] - 16.0 / 3.0).abs() < 1e-12 && average.above_uniform[15] == 1.0);
        assert_eq!(average.place(15), "75–100% from the top, 75–100% from the left");
        assert_eq!(AverageMap { shape: vec![64], ..average.clone() }.place(3), "4–6%");
        assert!((average.density.iter().sum::<f64>() - 16.0).abs() < 1e-9);
    }
}
