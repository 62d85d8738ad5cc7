//! Affines of volumes: from voxel indices to millimetres in RAS+ (x to the right, y to the front, z up), as nibabel has them.
//!
//! In: 4x4 matrices, row-major; index 0 is the centre of the first voxel. Out: products, inverses, voxel sizes, and which way the axes of a volume run.

use crate::error::{Error, Result};

/// Row-major; the last row is 0, 0, 0, 1.
pub type Affine = [[f64; 4]; 4];

/// Voxels of 1 mm whose axes are x, y and z.
pub const IDENTITY: Affine =
    [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];

/// Letters of the two directions of x, y and z: the negative one, the positive one.
const LETTERS: [[char; 2]; 3] = [['L', 'R'], ['P', 'A'], ['I', 'S']];

/// An axis of a new grid: which axis of the old one it is, and whether it runs the other way.
pub type Turned = (usize, bool);

/// `a` after `b`.
pub fn multiply(a: &Affine, b: &Affine) -> Affine {
    let mut product = [[0.0; 4]; 4];
    for (row, out) in product.iter_mut().enumerate() {
        for (column, value) in out.iter_mut().enumerate() {
            *value = (0..4).map(|k| a[row][k] * b[k][column]).sum();
        }
    }
    product
}

/// Where a point lies.
pub fn apply(affine: &Affine, point: [f64; 3]) -> [f64; 3] {
    [0, 1, 2]
        .map(|row| (0..3).map(|column| affine[row][column] * point[column]).sum::<f64>() + affine[row][3])
}

/// The way back; `None` where there is none.
pub fn inverse(affine: &Affine) -> Option<Affine> {
    let m = inverse_of_3x3(&linear(affine))?;
    let mut back = IDENTITY;
    for (row, line) in m.iter().enumerate() {
        back[row][..3].copy_from_slice(line);
        back[row][3] = -(0..3).map(|k| line[k] * affine[k][3]).sum::<f64>();
    }
    back.iter().flatten().all(|v| v.is_finite()).then_some(back)
}

/// Length of a step along each axis of voxels, in millimetres (nibabel's `voxel_sizes`).
pub fn spacing(affine: &Affine) -> [f64; 3] {
    [0, 1, 2].map(|column| (0..3).map(|row| affine[row][column].powi(2)).sum::<f64>().sqrt())
}

/// Refuses an affine that has no way back, which no map could take.
///
/// # Errors
/// File: numbers that are not finite, axes of length 0 or in one plane.
pub fn check(affine: &Affine) -> Result<()> {
    let sizes = spacing(affine);
    let is_finite = affine.iter().flatten().all(|v| v.is_finite());
    let scale: f64 = sizes.iter().product();
    if is_finite && scale > 0.0 && determinant(&linear(affine)).abs() > 1e-6 * scale {
        if let Some(mm) = sizes.iter().find(|mm| !(1e-4..=1e5).contains(*mm)) {
            return Err(Error::file(format!("its affine makes a voxel {mm:e} mm long")).with_hint(
                "voxels from 0.0001 to 100000 mm are taken; the unit of the file may be another one",
            ));
        }
        return Ok(());
    }
    let rows: Vec<String> = affine[..3].iter().map(|row| format!("{row:?}")).collect();
    Err(Error::file(format!("its affine cannot be inverted: {}", rows.join(" ")))
        .with_hint("the axes of a volume must have a length and point in three directions; write the file again with a right affine"))
}

/// Which axis of the world every axis of voxels follows most, and whether it runs against it: nibabel's `io_orientation`. The affine can be inverted.
pub fn orientation(affine: &Affine) -> [Turned; 3] {
    let sizes = spacing(affine);
    let mut rotation = linear(affine);
    for row in &mut rotation {
        for (value, size) in row.iter_mut().zip(sizes) {
            *value /= size;
        }
    }
    let mut rotation = nearest_rotation(rotation);
    let mut found = [(0, false); 3];
    // The axis that is clearest chooses first.
    let mut order = [0, 1, 2];
    let clearest = |column: usize| (0..3).map(|row| rotation[row][column].powi(2)).fold(0.0, f64::max);
    order.sort_by(|a, b| clearest(*b).total_cmp(&clearest(*a)));
    for axis in order {
        let mut world = 0;
        for row in 1..3 {
            if rotation[row][axis].abs() > rotation[world][axis].abs() {
                world = row;
            }
        }
        found[axis] = (world, rotation[world][axis] < 0.0);
        rotation[world] = [0.0; 3];
    }
    found
}

/// Where the axes of voxels run to: `RAS`, `LPS`.
pub fn codes(affine: &Affine) -> String {
    orientation(affine).iter().map(|&(world, is_against)| LETTERS[world][usize::from(!is_against)]).collect()
}

/// Three letters as axes of the world: each of L or R, P or A, I or S once, in any order; `None` for other text.
pub fn parse_codes(text: &str) -> Option<[Turned; 3]> {
    let letters: Vec<char> = text.to_uppercase().chars().collect();
    let axis = |letter: char| {
        let world = LETTERS.iter().position(|pair| pair.contains(&letter))?;
        Some((world, LETTERS[world][0] == letter))
    };
    let axes: [Turned; 3] = letters.into_iter().map(axis).collect::<Option<Vec<_>>>()?.try_into().ok()?;
    (0..3).all(|world| axes.iter().any(|axis| axis.0 == world)).then_some(axes)
}

/// For every axis that is wanted, the axis of voxels that follows it, turned where it runs the other way.
pub fn turning(affine: &Affine, wanted: [Turned; 3]) -> [Turned; 3] {
    let is = orientation(affine);
    wanted.map(|(world, is_against)| {
        let axis = is.iter().position(|axis| axis.0 == world).unwrap_or(world);
        (axis, is[axis].1 != is_against)
    })
}

/// The affine of a grid whose axes were turned; `size` is the old one.
pub fn turned(affine: &Affine, size: [usize; 3], axes: [Turned; 3]) -> Affine {
    let mut from_new = [[0.0; 4]; 4];
    from_new[3][3] = 1.0;
    for (new, (old, is_flipped)) in axes.into_iter().enumerate() {
        from_new[old][new] = if is_flipped { -1.0 } else { 1.0 };
        from_new[old][3] = if is_flipped { size[old] as f64 - 1.0 } else { 0.0 };
    }
    multiply(affine, &from_new)
}

fn linear(affine: &Affine) -> [[f64; 3]; 3] {
    [0, 1, 2].map(|row| [affine[row][0], affine[row][1], affine[row][2]])
}

fn determinant(m: &[[f64; 3]; 3]) -> f64 {
    (0..3)
        .map(|c| m[0][c] * (m[1][(c + 1) % 3] * m[2][(c + 2) % 3] - m[1][(c + 2) % 3] * m[2][(c + 1) % 3]))
        .sum()
}

fn inverse_of_3x3(m: &[[f64; 3]; 3]) -> Option<[[f64; 3]; 3]> {
    let determinant = determinant(m);
    if determinant == 0.0 || !determinant.is_finite() {
        return None;
    }
    let mut back = [[0.0; 3]; 3];
    for (row, line) in back.iter_mut().enumerate() {
        for (column, value) in line.iter_mut().enumerate() {
            let (r, c) = ([(column + 1) % 3, (column + 2) % 3], [(row + 1) % 3, (row + 2) % 3]);
            *value = (m[r[0]][c[0]] * m[r[1]][c[1]] - m[r[0]][c[1]] * m[r[1]][c[0]]) / determinant;
        }
    }
    Some(back)
}

/// The orthogonal matrix nearest to this one (its polar factor), by Newton's iteration.
fn nearest_rotation(mut m: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    for _ in 0..50 {
        let Some(back) = inverse_of_3x3(&m) else { return m };
        let mut moved = 0.0f64;
        for row in 0..3 {
            for column in 0..3 {
                let next = (m[row][column] + back[column][row]) / 2.0;
                moved = moved.max((next - m[row][column]).abs());
                m[row][column] = next;
            }
        }
        if moved < 1e-15 {
            break;
        }
    }
    m
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rotation by 30 degrees about z with voxels of 1, 2 and 3 mm, y against the world.
    const TILTED: Affine = [
        [0.866_025_403_784_438_6, 1.0, 0.0, -10.0],
        [0.5, -1.732_050_807_568_877, 0.0, 20.0],
        [0.0, 0.0, 3.0, 5.0],
        [0.0, 0.0, 0.0, 1.0],
    ];

    #[test]
    fn there_and_back() {
        let back = inverse(&TILTED).expect("a way back");
        let point = apply(&back, apply(&TILTED, [3.0, 4.0, 5.0]));
        assert!(point.iter().zip([3.0, 4.0, 5.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{point:?}");
        assert!(spacing(&TILTED).iter().zip([1.0, 2.0, 3.0]).all(|(a, b)| (a - b).abs() < 1e-12));
        assert!(check(&TILTED).is_ok());
        let mut flat = TILTED;
        flat[2][2] = 0.0;
        assert!(check(&flat).expect_err("flat").to_string().contains("cannot be inverted"));
        flat[2][2] = f64::NAN;
        assert!(check(&flat).is_err());
    }

    #[test]
    fn codes_and_turns() {
        assert_eq!((codes(&IDENTITY).as_str(), codes(&TILTED).as_str()), ("RAS", "RPS"));
        assert_eq!(parse_codes("slp"), Some([(2, false), (0, true), (1, true)]));
        assert!(parse_codes("RAR").is_none() && parse_codes("RA").is_none() && parse_codes("XYZ").is_none());
        let axes = turning(&TILTED, parse_codes("SAL").expect("codes"));
        assert_eq!(axes, [(2, false), (1, true), (0, true)]);
        let made = turned(&TILTED, [7, 8, 9], axes);
        assert_eq!(codes(&made), "SAL");
        // The first voxel of the new grid is the last one of the old along the axes that are turned.
        assert_eq!(apply(&made, [0.0; 3]), apply(&TILTED, [6.0, 7.0, 0.0]));
    }
}
