//! Data sets of every form, whole and broken.

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("folder"));
        files.iter().for_each(|(name, text)| folder.write(name, text));
        folder
    }
    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().expect("below")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    fn open(&self, name: &str) -> Dataset {
        Dataset::open(self.at(name), &DatasetOptions::default()).expect("a data set")
    }
    fn refused(&self, name: &str, options: &DatasetOptions) -> String {
        let error = Dataset::open(self.at(name), options).expect_err("refused");
        format!("{error} / {}", error.hint().unwrap_or_default())
    }
}

/// Name, classes and boxes of every image.
fn said(dataset: &Dataset) -> Vec<String> {
    let bounds = |object: &Annotated| {
        let class = object.class.as_deref().unwrap_or("?");
        object.bounds.map_or_else(|| format!("{class} masked"), |b| format!("{class} {b:?}"))
    };
    let line = |item: &Item| {
        let objects: Vec<String> = item.objects.iter().map(bounds).collect();
        let broken = item.broken.as_deref().map_or(String::new(), |why| format!(" !{why}"));
        format!("{} [{}] {}{broken}", item.name, item.classes.join("+"), objects.join("; "))
    };
    dataset.items.iter().map(line).collect()
}

#[test]
fn folders() {
    let folder = Folder::new(&[
        ("flat/b.JPG", ""),
        ("flat/a.png", ""),
        ("flat/notes.txt", ""),
        ("flat/.c.png", ""),
        ("flat/x/d.png", ""),
    ]);
    let flat = folder.open("flat");
    assert_eq!((flat.form, said(&flat)), (DatasetForm::Folder, vec!["a.png [] ".into(), "b.JPG [] ".into()]));
    assert_eq!(flat.notes, ["1 folders beside the images are not looked into"]);
    let folder = Folder::new(&[
        ("set/dog/1.jpg", ""),
        ("set/dog/more/2.jpg", ""),
        ("set/cat/1.jpg", ""),
        ("set/readme.md", ""),
    ]);
    let classes = folder.open("set");
    assert_eq!(classes.form, DatasetForm::ClassFolders);
    assert_eq!(said(&classes), ["cat/1.jpg [cat] ", "dog/1.jpg [dog] ", "dog/more/2.jpg [dog] "]);
    assert!(classes.items.iter().all(|item| item.path.exists()) && !classes.has_objects());
    let folder = Folder::new(&[("empty/readme.md", "")]);
    assert!(folder.refused("empty", &DatasetOptions::default()).contains("holds no image"));
    assert!(folder.refused("none", &DatasetOptions::default()).contains("cannot open the data set"));
    assert!(folder.refused("empty/readme.md", &DatasetOptions::default()).contains("is no data set"));
}

#[test]
fn tables() {
    let text = "\u{feff}Class, Path ,x0,y0,x1,y1\ncat,a.jpg,1,2,3.5,4\ndog,sub\\b.jpg,,,,\ncat,a.jpg,5,6,7,8\n,c.jpg,1,two,3,4\n";
    let folder = Folder::new(&[("t.csv", text), ("a.jpg", "")]);
    let table = folder.open("t.csv");
    assert_eq!(table.form, DatasetForm::Csv);
    assert_eq!(
        said(&table),
        [
            "a.jpg [cat] cat [1.0, 2.0, 3.5, 4.0]; cat [5.0, 6.0, 7.0, 8.0]",
            "sub/b.jpg [dog] ",
            "c.jpg []  !line 5: the box \"1, two, 3, 4\" is not four numbers",
        ]
    );
    folder.write("m.tsv", "file_name\tmask\na.jpg\tm.png\n");
    assert_eq!(folder.open("m.tsv").items[0].objects[0].mask, Some(folder.at("m.png")));
    let refused = |name: &str, text: &str| {
        folder.write(name, text);
        folder.refused(name, &DatasetOptions::default())
    };
    assert!(
        refused("1.csv", "name,class\na,b\n")
            .contains("the columns name, class, none of them a path / the first line names")
    );
    assert!(refused("2.csv", "path,x0,y0,x1\na.jpg,1,2,3\n").contains("some columns of a box, but not y1"));
    assert!(refused("0.csv", "\n").contains("0.csv is empty"));
    assert!(refused("3.csv", "path\n").contains("a header and no row"));
    assert!(
        refused("4.csv", "path,class\nmissing.jpg,x\n")
            .contains("the first image, missing.jpg, is in none of")
    );
    assert!(refused("5.csv", "path,class\na.jpg\n").contains("cannot be read as a table"));
    assert!(refused("6.csv", "path,class\n\n\n,cat\n").contains("line 4 of"));
    folder.write("s.csv", "path;class;x;y;width;height\na.jpg;cat;1;2;3;4\n");
    assert_eq!(said(&folder.open("s.csv")), ["a.jpg [cat] cat [1.0, 2.0, 4.0, 6.0]"]);
    folder.write("w.csv", "path,class\nsub\\c.jpg,cat\nsub/c.jpg,dog\n");
    folder.write("sub/c.jpg", "");
    let windows = folder.open("w.csv");
    assert_eq!((said(&windows), windows.items[0].path.exists()), (vec!["sub/c.jpg [cat+dog] ".into()], true));
}

#[test]
fn coco() {
    let text = r#"{"info": {}, "images": [{"id": 7, "file_name": "b.jpg"}, {"id": 3, "file_name": "a.jpg"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 2, "bbox": [10, 20, 30.5, 40], "iscrowd": 0, "segmentation": []},
            {"id": 2, "image_id": 7, "category_id": 5, "bbox": [0, 0, 1, 1], "iscrowd": 1},
            {"id": 3, "image_id": 99, "category_id": 2, "bbox": [0, 0, 1, 1]}],
        "categories": [{"id": 2, "name": "traffic light"}]}"#;
    let folder = Folder::new(&[("annotations/instances_val.json", text), ("val/b.jpg", "")]);
    let coco = folder.open("annotations/instances_val.json");
    assert_eq!(coco.form, DatasetForm::Coco);
    assert_eq!(
        said(&coco),
        ["b.jpg [traffic light+category 5] traffic light [10.0, 20.0, 40.5, 60.0]", "a.jpg [] "]
    );
    assert!(coco.items[0].path.exists());
    assert_eq!(coco.notes.len(), 2);
    let twice = text
        .replace("a.jpg", "b.jpg")
        .replace("\"image_id\": 99", "\"image_id\": 3")
        .replace("[0, 0, 1, 1]}]", "[]}]");
    folder.write(
        "annotations/twice_val.json",
        &twice.replace("\"id\": 3,", "\"id\": \"3\",").replace("\"image_id\": 3", "\"image_id\": \"3\""),
    );
    let joined = folder.open("annotations/twice_val.json");
    assert_eq!(said(&joined).len(), 1);
    assert_eq!(joined.notes[1], "1 annotations have no box of four numbers and are no objects");
    assert!(
        joined.notes[2].starts_with("1 entries name an image that was named before"),
        "{:?}",
        joined.notes
    );
    folder.write("broken.json", r#"{"images": [{"id": 7}]}"#);
    assert!(
        folder
            .refused("broken.json", &DatasetOptions::default())
            .contains("is no COCO file: missing field `file_name`")
    );
    let options = DatasetOptions { images: Some(folder.at("nowhere")), ..DatasetOptions::default() };
    assert!(folder.refused("annotations/instances_val.json", &options).contains("nowhere is no folder"));
}

#[test]
fn voc() {
    let xml = "<annotation><filename>one.jpg</filename><size><width>9</width></size>
        <object><name>dog</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></object>
        <object><name>dog</name></object></annotation>";
    let folder = Folder::new(&[
        ("voc/Annotations/1.xml", xml),
        ("voc/Annotations/2.xml", "<annotation>"),
        (
            "voc/Annotations/3.xml",
            "<annotation><object><bndbox><xmin>x</xmin></bndbox></object></annotation>",
        ),
        ("voc/JPEGImages/one.jpg", ""),
    ]);
    let voc = folder.open("voc");
    assert_eq!(
        (voc.form, said(&voc)[0].as_str()),
        (DatasetForm::Voc, "one.jpg [dog] dog [0.0, 1.0, 3.0, 4.0]")
    );
    assert!(said(&voc)[1].starts_with("2.jpg []  !2.xml is no annotation"), "{}", said(&voc)[1]);
    assert_eq!(said(&voc)[2], "3.jpg []  !3.xml: xmin of a box is \"x\", expected a number");
    // Named on another machine, in Latin-1.
    let folder = Folder::new(&[("voc/images/k.png", "")]);
    let elsewhere = b"<annotation><filename>C:\\data\\other.jpg</filename><object><name>Kr\xf6te</name></object></annotation>";
    std::fs::create_dir_all(folder.at("voc/Annotations")).expect("made");
    std::fs::write(folder.at("voc/Annotations/k.xml"), elsewhere).expect("written");
    assert_eq!(said(&folder.open("voc")), ["k.png [Kr\u{f6}te] "]);
    let folder = Folder::new(&[("voc/Annotations/readme", "")]);
    assert!(folder.refused("voc", &DatasetOptions::default()).contains("holds no .xml file"));
}

#[test]
fn masks_and_objects_for_all() {
    let folder = Folder::new(&[
        ("set/dog/1.jpg", ""),
        ("set/dog/2.jpg", ""),
        ("masks/dog/1.png", ""),
        ("other/x", ""),
    ]);
    let open = |options: &DatasetOptions| Dataset::open(folder.at("set"), options);
    let masks = DatasetOptions { masks: Some(folder.at("masks")), ..DatasetOptions::default() };
    let masked = open(&masks).expect("opens");
    assert_eq!(said(&masked), ["dog/1.jpg [dog] dog masked", "dog/2.jpg [dog] "]);
    assert_eq!(masked.notes, ["1 of 2 images have no mask"]);
    let none = DatasetOptions { masks: Some(folder.at("other")), ..DatasetOptions::default() };
    assert!(folder.refused("set", &none).contains("holds a mask for no image"));
    for shares in [[0.5, 0.0, 0.4, 1.0], [0.0, 0.0, 1.1, 1.0], [f64::NAN, 0.0, 1.0, 1.0]] {
        let options = DatasetOptions { everywhere: Some(shares), ..DatasetOptions::default() };
        assert!(folder.refused("set", &options).contains("expected shares from 0 to 1"));
    }
    let images = DatasetOptions { images: Some(folder.at("set")), ..DatasetOptions::default() };
    assert!(folder.refused("set", &images).contains("--images is given beside a folder"));
}
