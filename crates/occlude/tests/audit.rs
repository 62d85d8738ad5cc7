//! Audits of models whose truth is known (`tests/audit`, made by `tools/make_audit_models.py`): one reads a green square wherever it is, one a red mark in the lower right corner, one both alike. Fills are black, which nobody reads.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use image::{ImageFormat, Rgb, RgbImage};
use occlude::audit::{
    AuditOptions, AuditProgress, AuditWatch, Audited, Dataset, DatasetOptions, Question, Row, Summary,
    summarize,
};
use occlude::{JudgeOptions, Model, Settings};

const SIDE: u32 = 32;
const OBJECT: u32 = 8;
const MARK: u32 = 4;

/// A grey scene with a green square at this place, and a mark or none.
fn scene(object: [u32; 2], has_mark: bool, shade: u8) -> RgbImage {
    let mut image =
        RgbImage::from_fn(SIDE, SIDE, |x, y| Rgb([shade.wrapping_add((x * 7 + y * 13) as u8 % 40); 3]));
    for (dx, dy) in (0..OBJECT * OBJECT).map(|i| (i % OBJECT, i / OBJECT)) {
        image.put_pixel(object[0] + dx, object[1] + dy, Rgb([0, 255, 0]));
    }
    if has_mark {
        for (dx, dy) in (0..MARK * MARK).map(|i| (i % MARK, i / MARK)) {
            image.put_pixel(SIDE - MARK + dx, SIDE - MARK + dy, Rgb([255, 0, 0]));
        }
    }
    image
}

/// Images with their table, in a folder.
struct Scenes {
    folder: tempfile::TempDir,
    lines: Vec<String>,
}

impl Scenes {
    fn new(count: u32) -> Scenes {
        let mut scenes = Scenes { folder: tempfile::tempdir().unwrap(), lines: Vec::new() };
        for number in 0..count {
            // The square never lies on the mark.
            let place = [number * 5 % 17, number * 11 % 19];
            scenes.add(&format!("{number:03}.png"), place, true);
        }
        scenes
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn add(&mut self, name: &str, [x, y]: [u32; 2], has_mark: bool) {
        self.draw(name, [x, y], has_mark, 60);
        self.lines.push(format!("{name},1,{x},{y},{},{}", x + OBJECT, y + OBJECT));
    }

    fn draw(&self, name: &str, place: [u32; 2], has_mark: bool, shade: u8) {
        let mut bytes = Cursor::new(Vec::new());
        scene(place, has_mark, shade).write_to(&mut bytes, ImageFormat::Png).unwrap();
        std::fs::write(self.at(name), bytes.into_inner()).unwrap();
    }

    fn dataset(&self) -> Dataset {
        let text = format!("path,class,x0,y0,x1,y1\n{}\n", self.lines.join("\n"));
        std::fs::write(self.at("scenes.csv"), text).unwrap();
        Dataset::open(self.at("scenes.csv"), &DatasetOptions::default()).unwrap()
    }
}

fn model(name: &str) -> Model {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/audit").join(name).with_extension("onnx");
    Model::open_with(path, &settings(&[])).unwrap()
}

fn settings(more: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    let given = [
        ("preprocess", "none,scale=1/255"),
        ("fill", "0"),
        ("window", "8"),
        ("stride", "4"),
        ("threads", "2"),
    ];
    for (name, value) in given.iter().chain(more) {
        settings.set(name, value).unwrap();
    }
    settings
}

fn options(folder: PathBuf, more: &[(&str, &str)]) -> AuditOptions {
    let question = Question {
        settings: settings(more),
        judge: JudgeOptions { elsewhere: 4, ..JudgeOptions::default() },
        of_data_set: false,
    };
    AuditOptions { shown: 2, ..AuditOptions::new(folder, question) }
}

fn audit(name: &str, dataset: &Dataset, options: &AuditOptions) -> Audited {
    model(name).audit(dataset, options, &mut AuditWatch::default()).unwrap()
}

/// All rows in the files of an audit, by path.
fn rows(folder: &Path) -> BTreeMap<String, Vec<Row>> {
    let mut all: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    occlude::audit::rows(folder.join("rows"), &mut |row| {
        all.entry(row.path.clone()).or_default().push(row);
        Ok(())
    })
    .unwrap();
    all
}

fn counts(found: &Summary) -> [u64; 4] {
    let verdicts = &found.verdicts;
    [&verdicts.object, &verdicts.both, &verdicts.surroundings, &verdicts.unclear].map(|share| share.count)
}

#[test]
fn what_the_models_read_is_found() {
    let scenes = Scenes::new(40);
    let dataset = scenes.dataset();
    for (name, expected, share) in
        [("object", [40, 0, 0, 0], 1.0), ("both", [0, 40, 0, 0], 0.5), ("watermark", [0, 0, 40, 0], 0.0)]
    {
        let folder = scenes.at(&format!("{name}-audit"));
        let found = audit(name, &dataset, &options(folder.clone(), &[("score", "logit")]));
        assert!(found.is_complete);
        assert_eq!((counts(&found.summary), found.summary.rows), (expected, 40), "{name}");
        let mean = found.summary.verdicts.share.mean.unwrap();
        assert!((mean - share).abs() < 1e-3, "{name}: {mean}");
        assert_eq!((found.summary.correct.count, found.summary.correct.of), (40, 40));
        let average = found.summary.average.unwrap();
        // The mark lies in the last two of 16 cells along both axes; windows of 8 smear it over four more.
        let is_near = |cell: &usize| cell / 16 >= 10 && cell % 16 >= 10;
        let of = |cell: usize| (average.density[cell], average.object_density.as_ref().unwrap()[cell]);
        let drawing: Vec<(usize, (f64, f64))> =
            average.drawing.iter().map(|&cell| (cell, of(cell))).collect();
        assert_eq!(average.drawing.is_empty(), name == "object", "{name}: {drawing:?}");
        assert!(average.drawing.iter().all(is_near), "{name}: {:?}", average.drawing);
        assert_eq!(average.rows, 40);
        assert!((average.object_density.unwrap().iter().sum::<f64>() - 256.0).abs() < 1e-9);
        // The report names the answer, and its cards open pages that are there.
        let report = std::fs::read_to_string(folder.join("report.html")).unwrap();
        let links: Vec<&str> =
            report.split("href=\"pages/").skip(1).map(|rest| rest.split('#').next().unwrap()).collect();
        assert_eq!(links.len(), 2);
        links.iter().for_each(|link| assert!(folder.join("pages").join(link).exists(), "{link}"));
        assert!(report.contains("% of the clear verdicts are surroundings"));
        let json: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(folder.join("summary.json")).unwrap()).unwrap();
        assert_eq!((json["schema"].as_str(), json["rows"].as_u64()), (Some("occlude.audit/1"), Some(40)));
        assert_eq!(summarize(folder.join("rows"), 2).unwrap().verdicts, found.summary.verdicts);
    }
}

#[test]
fn right_and_wrong_predictions_are_told_apart() {
    // Without its mark the model of marks says "nothing", and is wrong.
    let mut scenes = Scenes::new(6);
    for number in 0..4 {
        scenes.add(&format!("bare{number}.png"), [number * 3, 5], false);
    }
    let found = audit("watermark", &scenes.dataset(), &options(scenes.at("a"), &[])).summary;
    assert_eq!((found.correct.count, found.correct.of), (6, 10));
    assert_eq!((found.when_correct.surroundings.count, found.when_correct.judged), (6, 6));
    // What it says of those has nothing to do with anything in them.
    assert_eq!((found.when_wrong.unclear.count, found.when_wrong.judged), (4, 4));
    assert_eq!(found.classes.len(), 1);
    assert_eq!((found.classes[0].class.as_str(), found.classes[0].rows), ("1", 10));
    // Asked for the class that the data set names, the same images are unclear because it is not predicted.
    let truth = AuditOptions {
        question: Question { of_data_set: true, ..options(scenes.at("b"), &[]).question },
        ..options(scenes.at("b"), &[])
    };
    let asked = audit("watermark", &scenes.dataset(), &truth);
    let rows = rows(&scenes.at("b"));
    assert!(rows.values().flatten().all(|row| row.class_index == Some(1)));
    assert!(
        rows["bare0.png"][0].reasons[0].contains("does not predict it"),
        "{:?}",
        rows["bare0.png"][0].reasons
    );
    assert_eq!(counts(&asked.summary), [0, 0, 6, 4]);
}

#[test]
fn stopped_at_any_image_it_goes_on_and_does_nothing_twice() {
    let scenes = Scenes::new(12);
    let dataset = scenes.dataset();
    let whole = scenes.at("whole");
    audit("both", &dataset, &options(whole.clone(), &[]));
    for stop_after in [1, 5, 11] {
        let folder = scenes.at(&format!("stopped{stop_after}"));
        let stop = AtomicBool::new(false);
        let mut show = |progress: &AuditProgress| {
            if progress.done >= stop_after {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let mut watch = AuditWatch { cancel: Some(&stop), progress: Some(&mut show) };
        let first = model("both").audit(&dataset, &options(folder.clone(), &[]), &mut watch).unwrap();
        assert!(!first.is_complete && first.progress.done < 12 && first.progress.done >= stop_after);
        let second = audit("both", &dataset, &options(folder.clone(), &[]));
        assert!(second.is_complete);
        assert_eq!(second.progress.known, first.progress.done);
        assert_eq!(rows(&folder), rows(&whole));
    }
    // Once more, with other threads and workers: nothing is left to do.
    let again = AuditOptions {
        workers: Some(3),
        ..options(whole.clone(), &[("threads", "1"), ("memory-limit", "1G")])
    };
    assert_eq!(audit("both", &dataset, &again).progress.known, 12);
}

#[test]
fn what_has_changed_is_judged_again_and_nothing_else() {
    let mut scenes = Scenes::new(4);
    let folder = scenes.at("audit");
    let first = audit("object", &scenes.dataset(), &options(folder.clone(), &[]));
    assert_eq!((first.progress.known, first.progress.done), (0, 4));
    let before = rows(&folder);
    // The content of one, the box of another; a new one.
    scenes.draw("000.png", [0, 0], false, 90);
    scenes.lines[1] = "001.png,1,5,11,12,19".into();
    scenes.add("new.png", [3, 3], true);
    let second = audit("object", &scenes.dataset(), &options(folder.clone(), &[]));
    assert_eq!((second.progress.known, second.progress.done), (2, 5));
    let after = rows(&folder);
    assert_eq!(after.values().map(Vec::len).collect::<Vec<_>>(), [1; 5]);
    assert!(before["000.png"] != after["000.png"] && before["001.png"] != after["001.png"]);
    assert_eq!((&before["002.png"], &before["003.png"]), (&after["002.png"], &after["003.png"]));
    // A drive that is away takes nothing with it.
    let away = scenes.at("away");
    let moved: Vec<String> = ["001.png", "002.png"].map(String::from).to_vec();
    std::fs::create_dir(&away).unwrap();
    moved.iter().for_each(|name| std::fs::rename(scenes.at(name), away.join(name)).unwrap());
    let without = audit("object", &scenes.dataset(), &options(folder.clone(), &[]));
    assert_eq!((without.progress.away, without.summary.errors, without.is_complete), (2, 0, true));
    assert_eq!(rows(&folder), after);
    moved.iter().for_each(|name| std::fs::rename(away.join(name), scenes.at(name)).unwrap());
    // An image that left the data set stays in the files and is not counted.
    scenes.lines.remove(2);
    let third = audit("object", &scenes.dataset(), &options(folder.clone(), &[]));
    assert_eq!((third.strangers, third.summary.rows, rows(&folder).len()), (1, 4, 5));
    // Other settings are another audit.
    for (name, value, said) in [
        ("fill", "0.5", "settings fill was 0, now it is 0.5"),
        ("window", "6", "settings window was 8, now it is 6"),
    ] {
        let error = model("object")
            .audit(&scenes.dataset(), &options(folder.clone(), &[(name, value)]), &mut AuditWatch::default())
            .unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let error = model("both")
        .audit(&scenes.dataset(), &options(folder, &[]), &mut AuditWatch::default())
        .unwrap_err();
    assert!(error.to_string().contains("model name was object.onnx, now it is both.onnx"), "{error}");
}

#[test]
fn a_broken_image_is_a_row_with_its_error() {
    let mut scenes = Scenes::new(3);
    std::fs::write(scenes.at("broken.png"), b"no picture at all").unwrap();
    let table = [
        "broken.png,1,0,0,4,4",
        "gone.png,1,0,0,4,4",
        "000.png,1,0,0,4,4",
        // Its own box, and one that holds everything.
        "001.png,1,0,0,32,32",
        "002.png,1,a,b,c,d",
    ];
    scenes.lines = table.map(String::from).to_vec();
    let folder = scenes.at("audit");
    let found = audit("object", &scenes.dataset(), &options(folder.clone(), &[]));
    assert_eq!(
        (found.is_complete, found.progress.failed, found.summary.errors, found.summary.rows),
        (true, 4, 4, 5)
    );
    let rows_of = rows(&folder);
    let error = |path: &str| rows_of[path][0].error.clone().unwrap_or_default();
    assert!(
        error("broken.png").contains("broken.png is not a picture that can be read"),
        "{}",
        error("broken.png")
    );
    assert!(error("gone.png").contains("No such file"), "{}", error("gone.png"));
    assert!(error("001.png").contains("the object is the whole input"), "{}", error("001.png"));
    assert!(error("002.png").contains("is not four numbers"), "{}", error("002.png"));
    assert_eq!(rows_of["000.png"][0].error, None);
    // Not again, unless asked for; mended, they are judged.
    let again = audit("object", &scenes.dataset(), &options(folder.clone(), &[]));
    assert_eq!((again.progress.known, again.summary.errors), (5, 4));
    scenes.draw("gone.png", [0, 0], true, 60);
    let retried = AuditOptions { retry_errors: true, ..options(folder.clone(), &[]) };
    let again = audit("object", &scenes.dataset(), &retried);
    assert_eq!((again.progress.known, again.summary.errors, again.summary.rows), (1, 3, 5));
    assert_eq!(rows(&folder).values().map(Vec::len).collect::<Vec<_>>(), [1; 5]);
    // Settings that fit no image are an error of the whole, before anything is written.
    let nowhere = scenes.at("nowhere");
    let error = model("object")
        .audit(&scenes.dataset(), &options(nowhere.clone(), &[("window", "64")]), &mut AuditWatch::default())
        .unwrap_err();
    assert!(error.to_string().contains("window"), "{error}");
    assert!(!nowhere.exists());
}

#[test]
fn folders_without_objects_and_an_object_for_all() {
    let scenes = Scenes::new(20);
    let dataset = Dataset::open(scenes.folder.path(), &DatasetOptions::default()).unwrap();
    let out = tempfile::tempdir().unwrap();
    let found = audit("watermark", &dataset, &options(out.path().join("a"), &[])).summary;
    assert_eq!((found.rows, found.verdicts.judged, found.correct.of, found.errors), (20, 0, 0, 0));
    assert!(!found.average.unwrap().drawing.is_empty());
    // The lower right corner as the object of all: then the mark is the object.
    let corner =
        AuditOptions { everywhere: Some([0.75, 0.75, 1.0, 1.0]), ..options(out.path().join("b"), &[]) };
    let found = audit("watermark", &dataset, &corner).summary;
    assert_eq!(counts(&found), [20, 0, 0, 0]);
    assert!(
        rows(&out.path().join("b"))
            .values()
            .flatten()
            .all(|row| row.object_is.as_deref() == Some("everywhere"))
    );
}

/// Of several objects those of the target's class are judged, and all where none is.
#[test]
fn objects_of_the_class_are_judged() {
    let mut scenes = Scenes::new(1);
    let [x, y] = [0, 0];
    scenes.lines = vec![
        format!("000.png,1,{x},{y},{},{}", x + OBJECT, y + OBJECT),
        // The mark, as an object of the other class.
        "000.png,0,28,28,32,32".into(),
    ];
    let folder = scenes.at("audit");
    audit("both", &scenes.dataset(), &options(folder.clone(), &[("target", "1,0"), ("score", "logit")]));
    let found = rows(&folder);
    let [thing, nothing] = &found["000.png"][..] else { panic!("two targets") };
    assert_eq!((thing.object_is.as_deref(), thing.class_index), (Some("class"), Some(1)));
    assert!((thing.object_share.unwrap() - 64.0 / 1024.0).abs() < 1e-12);
    assert!((nothing.object_share.unwrap() - 16.0 / 1024.0).abs() < 1e-12);
    assert!((thing.share.unwrap() - 0.5).abs() < 1e-3 && thing.correct == Some(true));
    let folder = scenes.at("unnamed");
    scenes.lines =
        vec![format!("000.png,5,{x},{y},{},{}", x + OBJECT, y + OBJECT), "000.png,5,28,28,32,32".into()];
    audit("both", &scenes.dataset(), &options(folder.clone(), &[]));
    let row = &rows(&folder)["000.png"][0];
    assert_eq!((row.object_is.as_deref(), row.verdict.as_deref()), (Some("all"), Some("object")));
    assert_eq!(row.correct, Some(false));
}
