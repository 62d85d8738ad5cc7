//! The crate in ten lines: `cargo run --release -p occlude --example map -- MODEL PICTURE OUT.png`.

#![allow(clippy::print_stdout, reason = "a program")]

use std::time::Instant;

use occlude::{Direction, Model, OutputPlan};

fn main() -> occlude::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, picture, out] = &arguments[..] else {
        println!("usage: map MODEL PICTURE OUT.png|html|json|npz|npy");
        return Ok(());
    };
    let started = Instant::now();
    let model = Model::open(model)?;
    let input = model.read_input(picture)?;
    let plan = OutputPlan::prepare(std::slice::from_ref(out), &[picture.into()])?;
    let map = model.occlusion().window(32).stride(8).run(&input)?;
    plan.write(0, &map, &input.picture)?;
    println!(
        "{} at {}, {:.2} s",
        map.targets[0].label,
        map.targets[0].baseline,
        started.elapsed().as_secs_f64()
    );
    for top in map.top_windows(0, Direction::For, 3) {
        println!("  {:+.3} when {:?} is hidden", top.sensitivity, top.window_in_source);
    }
    Ok(())
}
