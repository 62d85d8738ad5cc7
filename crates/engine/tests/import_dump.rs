//! temp
mod common;
use common::Archive;
use occlude_engine::exec::{Program, Runner};
use occlude_kernels::Isa;
use std::collections::BTreeMap;
#[test]
fn dump() {
    let Ok(name) = std::env::var("DUMP") else { return };
    let file = occlude_engine::onnx::read(std::path::Path::new(&name)).unwrap();
    let o =
        occlude_engine::onnx::ImportOptions { default_spatial: Some(vec![224, 224]), ..Default::default() };
    let g = file.import(&o).unwrap();
    let mut needed = vec![false; g.tensors.len()];
    g.outputs.iter().for_each(|i| needed[i.0] = true);
    let mut lines = vec![];
    for n in g.nodes.iter().rev() {
        if !needed[n.output.0] {
            continue;
        }
        n.inputs.iter().for_each(|i| needed[i.0] = true);
        let t = g.tensor(n.output);
        let op: String = format!("{:?}", n.op).chars().take(60).collect();
        lines.push(format!(
            "{:?} -> {} {:?} {:?} {} | {}",
            n.inputs.iter().map(|i| i.0).collect::<Vec<_>>(),
            n.output.0,
            t.shape,
            t.order,
            op,
            n.label
        ));
    }
    for l in lines.iter().rev() {
        println!("{l}");
    }
}
#[test]
fn extra() {
    let Ok(dir) = std::env::var("EXTRA") else { return };
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "onnx"))
        .collect();
    files.sort();
    let (mut ok, mut bad) = (0, BTreeMap::<String, Vec<String>>::new());
    for model in files {
        let name = model.file_stem().unwrap().to_string_lossy().into_owned();
        let run = || -> Result<(), String> {
            let mut archive = Archive::open(&model.with_extension("npz"));
            let (shape, x) = archive.array::<f32>("x").unwrap();
            let file = occlude_engine::onnx::read(&model).map_err(|e| format!("read: {e}"))?;
            let o = occlude_engine::onnx::ImportOptions {
                input_shapes: BTreeMap::from([("x".to_string(), shape)]),
                ..Default::default()
            };
            let graph = file.import(&o).map_err(|e| format!("import: {e}"))?;
            let foreign = graph.nodes.iter().any(|n| matches!(n.op, occlude_engine::graph::Op::Foreign(_)));
            let program = Program::compile(graph, Isa::detect()).map_err(|e| format!("compile: {e}"))?;
            let runner = Runner::new(program);
            let outs = runner
                .run_one(&|_, _, input: &mut [f32]| input.copy_from_slice(&x))
                .map_err(|e| format!("run: {e}"))?;
            for (i, got) in outs.iter().enumerate() {
                let (_, e) = archive.array::<f32>(&format!("y{i}")).unwrap();
                if e.len() != got.len() {
                    return Err(format!("len {} expected {}", got.len(), e.len()));
                }
                let m = e.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
                for (at, (g, e)) in got.iter().zip(&e).enumerate() {
                    if !(g == e || (g.is_nan() && e.is_nan())) && !((g - e).abs() <= 1e-4 * m) {
                        return Err(format!(
                            "{}[{at}] {g} expected {e}",
                            if foreign { "foreign " } else { "" }
                        ));
                    }
                }
            }
            Ok(())
        };
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
            .unwrap_or_else(|_| Err("panic".into()))
        {
            Ok(()) => ok += 1,
            Err(e) => bad
                .entry(name.split("__").next().unwrap().to_string())
                .or_default()
                .push(format!("{name}: {e}")),
        }
    }
    println!("OK {ok}");
    for (k, v) in bad {
        println!("BAD {k}: {}", v.len());
        for l in v.iter().take(6) {
            println!("    {l}");
        }
    }
}
#[test]
fn damage() {
    let Ok(dir) = std::env::var("DAMAGE") else { return };
    let mut seed = 12345u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "onnx"))
        .collect();
    files.sort();
    let (mut n, mut err, mut panics) = (0, 0, BTreeMap::<String, usize>::new());
    std::panic::set_hook(Box::new(|_| {}));
    for f in files {
        let bytes = std::fs::read(&f).unwrap();
        if bytes.len() > 20000 {
            continue;
        }
        let shape = Archive::open(&f.with_extension("npz")).array::<f32>("x").unwrap().0;
        for _ in 0..150 {
            let mut d = bytes.clone();
            for _ in 0..1 + next() % 3 {
                let at = (next() % d.len() as u64) as usize;
                d[at] ^= 1 << (next() % 8);
            }
            let last = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
            let l2 = last.clone();
            std::panic::set_hook(Box::new(move |i| {
                *l2.lock().unwrap() = i.location().map(|l| l.to_string()).unwrap_or_default();
            }));
            let o = occlude_engine::onnx::ImportOptions {
                input_shapes: BTreeMap::from([("x".to_string(), shape.clone())]),
                ..Default::default()
            };
            let r = std::panic::catch_unwind(|| {
                occlude_engine::onnx::ModelFile::from_bytes(d, f.parent())
                    .and_then(|m| m.import(&o))
                    .map(|g| g.nodes.len())
            });
            n += 1;
            match r {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => err += 1,
                Err(_) => *panics.entry(last.lock().unwrap().clone()).or_default() += 1,
            }
        }
    }
    let _ = std::panic::take_hook();
    println!("OK {n} damaged, {err} refused, panics {panics:?}");
}
