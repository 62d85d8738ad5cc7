//! Where the parts of objects are: the file that the correspondence analysis reads, boxes of parts in elements of the input, and random places.
//!
//! In: a table of `file,part,x0,y0,x1,y1` in pixels of the upright source picture (edges: `x0 = 10, x1 = 20` are the columns 10 to 19), as CSV with that header or as a
//! JSON array of objects with those keys. Out: [`Part`]s, and boxes in the model's input. Files of images are named relative to the table's folder.

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::input::Input;
use crate::occlusion::uniform_below;

/// One part of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The image.
    pub file: PathBuf,
    /// Name of the part: `left eye`.
    pub part: String,
    /// Left, top, right and bottom edge in source pixels.
    pub edges: [f64; 4],
    /// Where it stands in the table, for messages: `parts.csv line 3`.
    pub at: String,
}

const COLUMNS: [&str; 6] = ["file", "part", "x0", "y0", "x1", "y1"];
const FORM: &str =
    "the table is CSV with the header file,part,x0,y0,x1,y1, or a JSON array of objects with those keys";

/// Reads a table of parts.
///
/// # Errors
/// File: a file that cannot be read, a row that is not of this form, a box without extent.
pub fn parse_parts(path: &Path) -> Result<Vec<Part>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let rows = if text.trim_start().starts_with('[') {
        json_rows(&text).map_err(|e| Error::file(format!("{}: {e}", path.display())).with_hint(FORM))?
    } else {
        csv_rows(&text).map_err(|e| Error::file(format!("{}{e}", path.display())).with_hint(FORM))?
    };
    let part = |(at, [file, name, edges @ ..]): (String, [String; 6])| {
        let at = format!("{} {at}", path.display());
        let wrong = |what: String| Error::file(format!("{at}: {what}")).with_hint(FORM);
        if file.is_empty() || name.is_empty() {
            return Err(wrong("a row needs the name of a file and of a part".into()));
        }
        let mut numbers = [0.0; 4];
        for ((number, text), column) in numbers.iter_mut().zip(&edges).zip(&COLUMNS[2..]) {
            *number = text
                .parse::<f64>()
                .ok()
                .filter(|v| v.is_finite())
                .ok_or_else(|| wrong(format!("{column} is \"{text}\", expected a number of pixels")))?;
        }
        let [x0, y0, x1, y1] = numbers;
        if x0 >= x1 || y0 >= y1 {
            return Err(wrong(format!("the box x {x0} to {x1}, y {y0} to {y1} has no extent")));
        }
        Ok(Part { file: folder.join(file), part: name, edges: numbers, at })
    };
    let parts: Vec<Part> = rows.into_iter().map(part).collect::<Result<_>>()?;
    if parts.is_empty() {
        return Err(Error::file(format!("{} lists no part", path.display())).with_hint(FORM));
    }
    Ok(parts)
}

/// A table of parts by image and by part: every part once in every image.
#[derive(Clone, Debug, PartialEq)]
pub struct PartsOfImages {
    /// The images, in the order of the table.
    pub images: Vec<PathBuf>,
    /// The parts in the order of the table, each with its box in every image.
    pub parts: Vec<(String, Vec<Part>)>,
}

impl PartsOfImages {
    /// Sorts a table.
    ///
    /// # Errors
    /// File: a part that is missing in an image, or there twice; fewer than two images.
    pub fn of(parts: Vec<Part>) -> Result<Self> {
        let mut images: Vec<PathBuf> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for part in &parts {
            if !images.contains(&part.file) {
                images.push(part.file.clone());
            }
            if !names.contains(&part.part) {
                names.push(part.part.clone());
            }
        }
        if let ([only], Some(first)) = (&images[..], parts.first()) {
            return Err(Error::file(format!(
                "{}: the table is about one image, {}, and compares nothing",
                first.at,
                only.display()
            ))
            .with_hint("list the same parts of two images or more; the paper has five"));
        }
        let mut sorted = Vec::with_capacity(names.len());
        for name in names {
            let mut of_part = Vec::with_capacity(images.len());
            for image in &images {
                let rows: Vec<&Part> = parts.iter().filter(|p| p.part == name && p.file == *image).collect();
                match rows[..] {
                    [one] => of_part.push(one.clone()),
                    [] => {
                        return Err(Error::file(format!(
                            "the part \"{name}\" has no box in {}",
                            image.display()
                        ))
                        .with_hint("every part needs a row for every image"));
                    }
                    [first, second, ..] => {
                        return Err(Error::file(format!(
                            "{}: the part \"{name}\" of {} is listed twice, first at {}",
                            second.at,
                            image.display(),
                            first.at
                        )));
                    }
                }
            }
            sorted.push((name, of_part));
        }
        Ok(PartsOfImages { images, parts: sorted })
    }
}

type Row = (String, [String; 6]);

fn csv_rows(text: &str) -> std::result::Result<Vec<Row>, String> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim_start_matches('\u{feff}').trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let header: Vec<String> = lines.next().map(|(_, line)| fields(line)).unwrap_or_default();
    let mut columns = [0; 6];
    for (place, name) in columns.iter_mut().zip(COLUMNS) {
        *place = header
            .iter()
            .position(|h| h.eq_ignore_ascii_case(name))
            .ok_or_else(|| format!(": the header \"{}\" lacks \"{name}\"", header.join(",")))?;
    }
    lines
        .map(|(line, text)| {
            let row = fields(text);
            if row.len() != header.len() {
                return Err(format!(" line {line}: {} fields, the header has {}", row.len(), header.len()));
            }
            Ok((format!("line {line}"), columns.map(|place| row[place].clone())))
        })
        .collect()
}

/// The fields of a line; quoted ones may hold commas, and `""` for a quote.
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => {
                field.push('"');
                letters.next();
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field).trim().to_string()),
            other => field.push(other),
        }
    }
    fields.push(field.trim().to_string());
    fields
}

fn json_rows(text: &str) -> std::result::Result<Vec<Row>, String> {
    let rows: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let row = |(i, row): (usize, &serde_json::Value)| {
        let mut all = <[String; 6]>::default();
        for (field, name) in all.iter_mut().zip(COLUMNS) {
            *field = match row.get(name) {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(serde_json::Value::Number(number)) => number.to_string(),
                _ => return Err(format!("entry {i} lacks \"{name}\"")),
            };
        }
        Ok((format!("entry {i}"), all))
    };
    rows.iter().enumerate().map(row).collect()
}

/// The elements of the input whose centre lies in a part: one half-open range per spatial axis (height before width).
///
/// # Errors
/// Argument: an input that is no picture. File: a box that holds no element, because it is smaller than one or was cropped away.
pub fn elements_of(part: &Part, input: &Input) -> Result<Vec<Range<usize>>> {
    let geometry = &input.geometry;
    if geometry.axes.len() != 2 {
        return Err(Error::argument(format!(
            "parts are boxes of pictures, the input has {} spatial axes",
            geometry.axes.len()
        )));
    }
    let [x0, y0, x1, y1] = part.edges;
    let range = |axis: usize, from: f64, to: f64| {
        let map = &geometry.axes[axis];
        // Element e has its centre at offset + scale (e + 1/2).
        let first = |edge: f64| ((edge - map.offset) / map.scale - 0.5).ceil().max(0.0) as usize;
        first(from).min(geometry.size[axis])..first(to).min(geometry.size[axis])
    };
    let ranges = vec![range(0, y0, y1), range(1, x0, x1)];
    if ranges.iter().any(Range::is_empty) {
        return Err(Error::file(format!(
            "{}: the part \"{}\" covers no element of the model's input: it was cropped away, or is smaller than one element",
            part.at, part.part
        ))
        .with_hint(format!(
            "the model sees {} of the picture; change the box, or the crop with --preprocess",
            geometry
                .window_in_source(&geometry.size.iter().map(|&n| 0..n).collect::<Vec<_>>())
                .iter()
                .zip(["y", "x"])
                .map(|(range, axis)| format!("{axis} {:.0} to {:.0}", range.start, range.end))
                .collect::<Vec<_>>()
                .join(", ")
        )));
    }
    Ok(ranges)
}

/// Boxes of the same sizes at random places inside an input of this spatial size, all places equally likely. The draw depends on the seed and on `number` alone.
pub fn random_boxes(
    boxes: &[Vec<Range<usize>>],
    spatial: &[Vec<usize>],
    seed: u64,
    number: u64,
) -> Vec<Vec<Range<usize>>> {
    let mut draw = number << 32;
    boxes
        .iter()
        .zip(spatial)
        .map(|(ranges, lengths)| {
            ranges
                .iter()
                .zip(lengths)
                .map(|(range, &length)| {
                    let size = range.len().min(length);
                    draw += 1;
                    let start = uniform_below(seed, draw, length - size + 1);
                    start..start + size
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Layout, TensorSpec};

    fn parse(name: &str, text: &str) -> Result<Vec<Part>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        parse_parts(&path)
    }

    #[test]
    fn both_forms_of_the_table() {
        let csv = "# five dogs\nfile,part,x0,y0,x1,y1\na.jpg,left eye,1,2,3.5,4\n\n\"b, c.jpg\",\"the \"\"nose\"\"\",0,0,9,9\n";
        let found = parse("parts.csv", csv).expect("good");
        assert_eq!(
            (found.len(), found[0].part.as_str(), found[0].edges),
            (2, "left eye", [1.0, 2.0, 3.5, 4.0])
        );
        assert_eq!(
            (found[1].file.file_name().unwrap().to_str(), found[1].part.as_str()),
            (Some("b, c.jpg"), "the \"nose\"")
        );
        assert!(found[0].at.ends_with("parts.csv line 3"), "{}", found[0].at);
        let json = r#"[{"file": "a.jpg", "part": "eye", "x0": 1, "y0": 2, "x1": 3.5, "y1": 4}]"#;
        assert_eq!(parse("parts.json", json).expect("good")[0].edges, [1.0, 2.0, 3.5, 4.0]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let head = "file,part,x0,y0,x1,y1\n";
        for (text, said) in [
            ("file,part,x0,y0,x1\n".to_string(), "lacks \"y1\""),
            (format!("{head}a,b,1,2,3\n"), "line 2: 5 fields, the header has 6"),
            (format!("{head}a,b,1,2,x,4\n"), "line 2: x1 is \"x\""),
            (format!("{head}a,b,3,2,3,4\n"), "has no extent"),
            (format!("{head}a,,1,2,3,4\n"), "the name of a file and of a part"),
            (head.to_string(), "lists no part"),
            (String::new(), "lacks \"file\""),
            ("[{\"file\": 1}]".to_string(), "entry 0 lacks \"part\""),
            ("[".to_string(), "EOF"),
        ] {
            let error = parse("p.csv", &text).expect_err(said);
            assert!(error.to_string().contains(said) && error.hint().is_some(), "{error}");
        }
    }

    #[test]
    fn every_part_is_in_every_image_once() {
        let table = |rows: &str| {
            PartsOfImages::of(parse("p.csv", &format!("file,part,x0,y0,x1,y1\n{rows}")).expect("rows"))
        };
        let row = |file: &str, part: &str| format!("{file},{part},0,0,1,1\n");
        let good = [row("a", "eye"), row("a", "nose"), row("b", "nose"), row("b", "eye")].concat();
        let found = table(&good).expect("good");
        let names: Vec<&str> = found.parts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((found.images.len(), names), (2, vec!["eye", "nose"]));
        assert!(found.parts[1].1[1].file.ends_with("b"));
        for (rows, said) in [
            (row("a", "eye"), "about one image"),
            ([row("a", "eye"), row("b", "nose")].concat(), "the part \"eye\" has no box in"),
            ([row("a", "eye"), row("b", "eye"), row("b", "eye")].concat(), "is listed twice"),
        ] {
            assert!(table(&rows).expect_err(said).to_string().contains(said));
        }
    }

    #[test]
    fn parts_are_elements_whose_centre_they_hold() {
        let spec = TensorSpec::new("x", &[1, 10, 20], Layout::ChannelsFirst);
        let mut input = Input::from_tensor(spec, vec![0.0; 200]).expect("fits");
        let part = |edges| Part { file: "a".into(), part: "eye".into(), edges, at: "p.csv line 2".into() };
        assert_eq!(elements_of(&part([3.0, 1.0, 6.0, 2.0]), &input).expect("inside"), [1..2, 3..6]);
        // Two pixels an element, the first 10 pixels cropped away: centres at 11, 13, ...
        for axis in &mut input.geometry.axes {
            (axis.scale, axis.offset) = (2.0, 10.0);
        }
        assert_eq!(elements_of(&part([11.0, 0.0, 15.0, 11.1]), &input).expect("inside"), [0..1, 0..2]);
        let error = elements_of(&part([0.0, 0.0, 5.0, 5.0]), &input).expect_err("cropped away");
        assert!(error.to_string().starts_with("p.csv line 2: the part \"eye\" covers no element"), "{error}");
        assert!(error.hint().expect("a hint").contains("y 10 to 30, x 10 to 50"));
    }

    #[test]
    fn random_places_are_inside_and_depend_on_the_seed_alone() {
        let boxes = vec![vec![0..3, 0..4]; 50];
        let sizes = vec![vec![8, 9]; 50];
        let drawn = random_boxes(&boxes, &sizes, 1, 0);
        assert_eq!(drawn, random_boxes(&boxes, &sizes, 1, 0));
        assert_ne!(drawn, random_boxes(&boxes, &sizes, 2, 0));
        assert_ne!(drawn, random_boxes(&boxes, &sizes, 1, 1));
        let starts: std::collections::BTreeSet<usize> = drawn.iter().map(|b| b[0].start).collect();
        assert_eq!(starts, (0..=5).collect(), "every place is reached");
        assert!(drawn.iter().all(|b| b[0].len() == 3 && b[1].len() == 4 && b[0].end <= 8 && b[1].end <= 9));
    }
}
