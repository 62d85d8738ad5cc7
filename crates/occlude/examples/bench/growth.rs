//! How time grows: with the number of windows, with threads, with the size of the input; and what an approximate map saves.

use std::path::Path;
use std::time::Instant;

use occlude::{EngineChoice, Model};

use crate::against::{median, time};
use crate::subject::{Subject, engine, ort, sample, subject};

/// Models for the growth with windows and threads.
const FLAT: [&str; 3] = ["mobilenet_v2", "resnet50", "vgg16"];

/// Volumes of growing size, made from one model by `make models`.
const VOLUMES: [&str; 3] = ["sizes/monai_resnet18_3d_64", "monai_resnet18_3d", "sizes/monai_resnet18_3d_128"];

pub(crate) fn growth() {
    println!("windows and threads (seconds for all windows, baseline pass included)");
    for subject in FLAT.iter().filter_map(|name| subject(name)) {
        for threads in [1, 2] {
            let row: Vec<String> = [9, 81, 243, 729]
                .iter()
                .map(|&count| {
                    let windows = sample(&subject, count);
                    let fresh = engine(&subject, EngineChoice::Incremental, threads);
                    format!("{count:4}: {:7.3} s", time(&fresh, &subject, &windows) * windows.len() as f64)
                })
                .collect();
            println!("{:16} {threads} threads  {}", subject.name, row.join("  "));
        }
    }
    println!(
        "input size (3-D, window 16, stride 8; 24 windows spread over the grid, 2 threads, against ONNX Runtime on 2 of them)"
    );
    for subject in VOLUMES.iter().filter_map(|name| subject(name)) {
        let (ours, theirs) = (engine(&subject, EngineChoice::Incremental, 2), ort(&subject, 2));
        let windows = sample(&subject, 24);
        // The baseline pass is left out here: 24 windows are not a map.
        time(&ours, &subject, &windows[..2]);
        let a = time(&ours, &subject, &windows);
        let b = time(theirs.as_ref(), &subject, &sample(&subject, 2));
        println!(
            "{:30} {:?}  occlude {:8.1} ms/window  onnxruntime in full {:8.1} ms/window  ratio {:.1}",
            subject.name,
            subject.spec.spatial(),
            a * 1e3,
            b * 1e3,
            b / a
        );
    }
}

/// An approximate map against the exact one, in turns; the search for what may be dropped is part of its time.
pub(crate) fn approximate(subject: &Subject) {
    let model = Model::open(&subject.model).unwrap();
    let folder = std::env::temp_dir().join(format!("occlude-bench-{}", std::process::id()));
    let path = if subject.name == "efficientnet_lite0" {
        Path::new("examples/images/coffee.jpg").to_path_buf()
    } else {
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("x.npy");
        let shape: Vec<u64> = subject.spec.shape.iter().map(|&n| n as u64).collect();
        let mut bytes = Vec::new();
        {
            use npyz::WriterBuilder;
            let options = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes);
            let mut writer = options.begin_nd().unwrap();
            writer.extend(subject.occluder.untouched()[0].iter().copied()).unwrap();
            writer.finish().unwrap();
        }
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let input = model.read_input(&path).unwrap();
    let rank = subject.spec.spatial().len();
    let base = model.occlusion().window(vec![16; rank]).stride(vec![8; rank]);
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let run = |occlusion: occlude::Occlusion<'_>| {
            let started = Instant::now();
            let map = occlusion.run(&input).unwrap();
            let times = map.provenance.timings;
            (
                started.elapsed().as_secs_f64() - times.check_secs,
                times.first_window_secs + times.windows_secs,
                map,
            )
        };
        let exact = run(base.clone());
        let near = run(base.clone().approximate(0.02));
        let found = near.2.approximation.clone().unwrap();
        println!(
            "{:22} exact {:.3} s  --approximate 0.02 {:.3} s  ratio {:.2}  work saved {:.1}% instead of {:.1}%  RMSE {:.4}, 95 of 100 within {:.4}, largest {:.4}",
            subject.name,
            exact.1,
            near.1,
            exact.1 / near.1,
            100.0 * near.2.work.unwrap().saved(),
            100.0 * exact.2.work.unwrap().saved(),
            found.rmse,
            found.percentile_95,
            found.largest
        );
        ratios.push(exact.1 / near.1);
    }
    println!("{:22} median ratio {:.2}", subject.name, median(ratios));
    std::fs::remove_dir_all(folder).ok();
}
