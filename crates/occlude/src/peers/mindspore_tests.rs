//! MindSpore's own checks and their exception kinds, the repairs, and numbers by the definition.

use super::*;

fn sum(x: &[f32], count: usize) -> Result<Vec<f32>> {
    Ok(x.chunks(x.len() / count).flat_map(|x| [x.iter().sum(), 0.0]).collect())
}

fn image(shape: &[usize]) -> Argument {
    let count: usize = shape.iter().product();
    Argument::Array { shape: shape.to_vec(), values: (1..=count).map(|v| v as f32).collect() }
}

fn update(
    metric: &mut OcclusionSensitivity,
    image: Argument,
    label: Argument,
) -> std::result::Result<Array, Exception> {
    metric.update(&[Given::Model(Classifier::Function(&sum)), Given::Value(image), Given::Value(label)])?;
    metric.eval().cloned()
}

fn made(margin: Argument, b_box: Argument) -> std::result::Result<OcclusionSensitivity, Exception> {
    OcclusionSensitivity::new(&Argument::Float(0.0), &margin, &Argument::Int(128), &b_box)
}

fn ints(values: &[i64]) -> Argument {
    Argument::List(values.iter().map(|v| Argument::Int(*v)).collect())
}

fn raises<T: std::fmt::Debug>(result: std::result::Result<T, Exception>, kind: Raises, says: &str) {
    let error = result.expect_err(says);
    assert_eq!(error.raises, kind, "{error}");
    assert!(error.message.contains(says), "{error}");
}

#[test]
fn its_errors_have_its_kinds() {
    let new =
        |pad_val, margin, n_batch, b_box| OcclusionSensitivity::new(&pad_val, &margin, &n_batch, &b_box);
    use Argument::{Bool, Float, Int, None, Text};
    raises(
        new(Bool(false), Int(2), Int(128), None),
        Raises::TypeError,
        "'pad_val' should be float, but got bool",
    );
    raises(new(Float(0.0), Bool(true), Int(128), None), Raises::TypeError, "'margin'");
    raises(new(Float(0.0), Float(2.0), Int(128), None), Raises::TypeError, "but got float");
    raises(new(Float(0.0), Argument::List(vec![Bool(true)]), Int(1), None), Raises::TypeError, "'margin'");
    raises(new(Float(0.0), Int(2), Bool(true), None), Raises::TypeError, "'n_batch'");
    raises(new(Float(0.0), Int(2), Int(0), None), Raises::ValueError, "'n_batch' should be at least 1");
    raises(new(Float(0.0), Int(-1), Int(1), None), Raises::ValueError, "negative");
    raises(new(Float(0.0), Int(2), Int(1), Text("all".into())), Raises::TypeError, "'b_box'");
    let mut metric = OcclusionSensitivity::default();
    raises(metric.eval().cloned(), Raises::RuntimeError, "'update' method before calling 'eval'");
    raises(
        metric.update(&[Given::Value(image(&[1, 4]))]),
        Raises::ValueError,
        "needs 3 inputs (classification model, image, label), but got 1",
    );
    raises(update(&mut metric, image(&[2, 4]), Int(0)), Raises::RuntimeError, "batch size of 1");
    raises(update(&mut metric, image(&[1, 4]), ints(&[0, 1])), Raises::RuntimeError, "as many labels");
    raises(update(&mut metric, image(&[1, 4]), Bool(true)), Raises::TypeError, "class index");
    raises(update(&mut metric, image(&[1, 4]), Int(-1)), Raises::ValueError, "from 0");
    raises(update(&mut metric, image(&[1, 4]), Int(2)), Raises::RuntimeError, "no class 2");
    let boxed = |b_box: &[i64]| made(Int(1), ints(b_box)).expect("a list of numbers");
    raises(
        update(&mut boxed(&[0, 1, 2]), image(&[1, 4, 4]), Int(0)),
        Raises::ValueError,
        "but got 3 numbers",
    );
    raises(
        update(&mut boxed(&[0, 1, 2, 4]), image(&[1, 4, 4]), Int(0)),
        Raises::ValueError,
        "below the size of the image, but got 4",
    );
    raises(
        update(&mut boxed(&[0, 1, 3, 2]), image(&[1, 4, 4]), Int(0)),
        Raises::ValueError,
        "at most the upper one",
    );
    // A refused update leaves what was there.
    assert!(metric.eval().is_err());
}

#[test]
fn repairs() {
    let expected =
        update(&mut OcclusionSensitivity::default(), image(&[1, 1, 4, 4]), Argument::Int(0)).expect("runs");
    let one = |shape: &[usize]| Argument::Array { shape: shape.to_vec(), values: vec![0.0] };
    for label in [one(&[]), one(&[1]), ints(&[0]), Argument::Float(0.0)] {
        assert_eq!(
            update(&mut OcclusionSensitivity::default(), image(&[1, 1, 4, 4]), label).expect("runs"),
            expected
        );
    }
    let int_pad =
        OcclusionSensitivity::new(&Argument::Int(0), &Argument::Int(2), &Argument::Int(3), &Argument::None);
    assert_eq!(
        update(&mut int_pad.expect("a number"), image(&[1, 1, 4, 4]), Argument::Int(0)).expect("runs"),
        expected
    );
    // A margin per axis: rows 1, columns 2, hidden by [i - m, i + m).
    let mut metric = made(ints(&[1, 1, 2]), Argument::None).expect("a sequence");
    let got = update(&mut metric, image(&[1, 1, 4, 4]), Argument::Int(0)).expect("runs");
    assert_eq!(got.shape, [4, 4]);
    for (place, value) in got.values.iter().enumerate() {
        let (r, c) = (place / 4, place % 4);
        let hidden = |i: usize| {
            (r.saturating_sub(1)..r + 1).contains(&(i / 4)) && (c.saturating_sub(2)..c + 2).contains(&(i % 4))
        };
        let sum: usize = (0..16).filter(|&i| hidden(i)).map(|i| i + 1).sum();
        assert_eq!(*value, sum as f32, "{place}");
    }
    raises(
        update(
            &mut made(ints(&[1, 2]), Argument::None).expect("numbers"),
            image(&[1, 1, 4, 4]),
            Argument::Int(0),
        ),
        Raises::ValueError,
        "each of the 3 axes",
    );
}

#[test]
fn each_negative_end_counts_alone() {
    let boxed = |b_box: &[i64]| {
        update(
            &mut made(Argument::Int(1), ints(b_box)).expect("numbers"),
            image(&[1, 1, 4, 4]),
            Argument::Int(0),
        )
        .expect("runs")
    };
    assert_eq!(boxed(&[-1, -1, -1, 1, 2, -1]), boxed(&[0, 0, 0, 1, 2, 3]));
    assert_eq!(boxed(&[-1, -1, -1, 1, 2, -1]).shape, [2, 2]);
}

#[test]
fn margin_0_hides_nothing_and_any_rank_works() {
    let zero = update(
        &mut made(Argument::Int(0), Argument::None).expect("a number"),
        image(&[1, 2, 3]),
        Argument::Int(0),
    );
    assert_eq!(zero.expect("runs"), Array { shape: vec![2, 3], values: vec![0.0; 6] });
    for shape in [&[1, 5][..], &[1, 2, 5], &[1, 2, 3, 4], &[1, 2, 3, 2, 2], &[1, 2, 2, 2, 2, 2]] {
        let map = update(&mut OcclusionSensitivity::default(), image(shape), Argument::Int(0)).expect("runs");
        assert_eq!(map.shape, shape[1..]);
        // Margin 2 along axes of at most 3: the middle window hides everything.
        if shape[1..].iter().all(|&n| n <= 3) {
            let total: f32 = (1..=shape.iter().product::<usize>()).map(|v| v as f32).sum();
            assert_eq!(map.values.iter().copied().fold(0.0, f32::max), total);
        }
    }
}

#[test]
fn the_batch_does_not_matter() {
    let run = |n_batch: i64| {
        let mut metric = OcclusionSensitivity::new(
            &Argument::Float(0.5),
            &Argument::Int(1),
            &Argument::Int(n_batch),
            &Argument::None,
        )
        .expect("numbers");
        update(&mut metric, image(&[1, 3, 4, 5]), Argument::Int(0)).expect("runs")
    };
    assert_eq!(run(1), run(7));
    assert_eq!(run(1), run(1000));
}
