//! Tests of the figure's pixels: cell colours are the colour function of their values, what was not computed is hatched,
//! panels are where they are said to be, and every kind of map gets a figure.

use super::*;
use crate::input::Geometry;
use crate::map::MapTarget;
use crate::map::tests_support::map;
use crate::occlusion::{Border, Grid, Windows};
use crate::tensor::{Layout, TensorSpec};

fn picture(width: usize, height: usize) -> Picture {
    let rgb = (0..height)
        .flat_map(|y| (0..width).flat_map(move |x| [(x * 40) as u8, (y * 40) as u8, 90]))
        .collect();
    Picture { width, height, rgb, photographic: true, signal: None, volume: None }
}

fn no_picture() -> Picture {
    Picture { width: 0, height: 0, rgb: Vec::new(), photographic: false, signal: None, volume: None }
}

/// The middle pixel of each cell of the first panel of this kind, row by row.
fn middles(
    image: &RgbImage,
    figure_panels: &[(Kind, usize, Area)],
    kind: Kind,
    t: usize,
    map: &Map,
) -> Vec<Colour> {
    let (_, _, area) = *figure_panels.iter().find(|panel| (panel.0, panel.1) == (kind, t)).unwrap();
    let plane = &Plane::through(&map.view(), strongest(map.sensitivity_of(t)))[0];
    let middle = |edges| {
        let part = panel::part_of(area, edges);
        image.get_pixel((part.x + part.width / 2) as u32, (part.y + part.height / 2) as u32).0
    };
    plane.cells(&map.view()).iter().map(|cell| middle(cell.edges)).collect()
}

fn drawn(map: &Map, picture: &Picture) -> (RgbImage, Vec<(Kind, usize, Area)>) {
    let figure = Figure::draw(map, picture).unwrap();
    let panels = figure.panels.clone();
    (figure.finish(), panels)
}

#[test]
fn every_cell_has_the_colour_of_its_value() {
    let values = vec![0.5, -0.5, 0.25, 0.0, 0.1, -0.05];
    let made = map([4, 6], [2, 2], [2, 2], values.clone());
    let (image, panels) = drawn(&made, &picture(6, 4));
    let scale = Scale::about_zero(values.iter().copied());
    let expected: Vec<Colour> = values.iter().map(|&v| scale.colour(v).unwrap()).collect();
    assert_eq!(middles(&image, &panels, Kind::Cells, 0, &made), expected);
    assert_eq!(expected[0], colour::ramp()[254]);
    assert_eq!(expected[1], colour::ramp()[0], "the scale is symmetric about zero");
}

#[test]
fn the_picture_panel_shows_its_pixels_and_zero_leaves_the_overlay_grey() {
    let mut made = map([4, 6], [1, 1], [1, 1], vec![0.0; 24]);
    made.sensitivity[0] = 1.0;
    let (image, panels) = drawn(&made, &picture(6, 4));
    let seen = middles(&image, &panels, Kind::Picture, 0, &made);
    assert_eq!((seen[5], seen[23]), ([200, 0, 90], [200, 120, 90]));
    let over = middles(&image, &panels, Kind::Overlay, 0, &made);
    assert!(over[1..].iter().all(|c| c[0] == c[1] && c[1] == c[2]), "{over:?}");
    assert!(over[0][0] > over[0][1] + 40, "{:?}", over[0]);
}

#[test]
fn windows_that_were_not_computed_are_hatched_and_the_figure_says_so() {
    let values = vec![0.5, f32::NAN, f32::NAN, -0.25];
    let whole = map([4, 4], [2, 2], [2, 2], vec![0.5, 0.1, 0.1, -0.25]);
    let part = map([4, 4], [2, 2], [2, 2], values);
    let (image, panels) = drawn(&part, &no_picture());
    let (_, _, area) = panels[0];
    let cells = Plane::through(&part.view(), 0)[0].cells(&part.view());
    for (cell, computed) in cells.iter().zip([true, false, false, true]) {
        let at = panel::part_of(area, cell.edges);
        let colours: std::collections::BTreeSet<Colour> = (0..16)
            .map(|i| image.get_pixel((at.x + at.width / 2 + i) as u32, (at.y + at.height / 2) as u32).0)
            .collect();
        assert_eq!(colours.len(), if computed { 1 } else { 2 }, "{cell:?}");
        assert_eq!(colours.contains(&panel::MISSING[1]), !computed);
    }
    let warns = |image: &RgbImage| image.pixels().any(|pixel| pixel.0 == WARNING[0]);
    assert!(warns(&image));
    assert!(!warns(&drawn(&whole, &no_picture()).0));
}

#[test]
fn several_targets_get_a_panel_each_at_most_six() {
    let values: Vec<f32> = (0..8 * 4).map(|i| (i as f32 - 9.0) / (1.0 + (i / 4) as f32)).collect();
    let made = map([4, 4], [2, 2], [2, 2], values);
    let (image, panels) = drawn(&made, &no_picture());
    assert_eq!(
        panels.iter().map(|p| (p.0, p.1)).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5].map(|t| (Kind::Cells, t))
    );
    for t in 0..6 {
        let scale = Scale::about_zero(made.sensitivity_of(t).iter().copied());
        let expected: Vec<Colour> =
            made.sensitivity_of(t).iter().map(|&v| scale.colour(v).unwrap()).collect();
        assert_eq!(middles(&image, &panels, Kind::Cells, t, &made), expected, "target {t}");
    }
    let (image, panels) = drawn(&made, &picture(4, 4));
    assert_eq!(panels.len(), 7);
    for (_, _, area) in panels {
        assert!(area.right() < WIDTH && area.bottom() < image.height() as i32, "{area:?}");
    }
}

/// A map of zeros but one over an input of this shape, channels first.
fn over(shape: &[usize], window: &[usize], stride: &[usize]) -> Map {
    let input = TensorSpec::new("x", shape, Layout::ChannelsFirst);
    let grid = Grid::new(&input, window, stride, Border::Shift, None).unwrap();
    let base = map([1, 1], [1, 1], [1, 1], vec![0.0]);
    let mut sensitivity = vec![0.0; grid.len()];
    let last = sensitivity.len() - 1;
    sensitivity[last] = -1.5;
    let targets = vec![MapTarget { unit: "logit".into(), ..base.targets[0].clone() }];
    Map {
        geometry: Geometry::identity(&input.spatial()),
        computed: grid.len(),
        scores: sensitivity.iter().map(|v| 1.0 - v).collect(),
        sensitivity,
        targets,
        input,
        windows: Windows::Grid(grid),
        ..base
    }
}

#[test]
fn a_signal_becomes_bars() {
    let made = over(&[2, 50], &[10], &[10]);
    let strip =
        Picture { width: 50, height: 1, rgb: vec![77; 150], photographic: false, signal: None, volume: None };
    let (image, panels) = drawn(&made, &strip);
    let (_, _, area) = *panels.iter().find(|p| p.0 == Kind::Cells).unwrap();
    let below = (area.y + area.height / 2 + 20) as u32;
    let at = |fraction: f64| {
        image.get_pixel((f64::from(area.x) + fraction * f64::from(area.width)) as u32, below).0
    };
    assert_eq!(at(0.9), colour::ramp()[0], "the negative bar hangs down in the strongest blue");
    assert_eq!(at(0.5), GROUND);
}

#[test]
fn a_signal_is_drawn_as_lines_over_its_evidence() {
    let made = over(&[2, 50], &[10], &[10]);
    let values: Vec<f32> = (0..100).map(|i| if i < 50 { i as f32 } else { 100.0 - i as f32 }).collect();
    let signal = Some(Signal { channels: 2, values });
    let strip =
        Picture { width: 50, height: 1, rgb: vec![77; 150], photographic: false, signal, volume: None };
    let (image, panels) = drawn(&made, &strip);
    let (_, _, area) = *panels.iter().find(|p| p.0 == Kind::Overlay).expect("lines");
    let row = area.height / 2;
    let at = |fraction: f64, channel: i32, down: i32| {
        let x = f64::from(area.x) + fraction * f64::from(area.width);
        image.get_pixel(x as u32, (area.y + channel * row + down) as u32).0
    };
    // The last window has the strongest evidence against; under the line is its colour, above the ground.
    for channel in 0..2 {
        assert_eq!(at(0.9, channel, row - 10), colour::ramp()[0], "channel {channel}");
        assert_ne!(at(0.5, channel, row - 10), colour::ramp()[0]);
    }
    assert_eq!(at(0.1, 0, 6), GROUND, "the first channel rises");
    assert_eq!(at(0.95, 1, 6), GROUND, "the second falls");
    let ink =
        |channel: i32, fraction: f64| (0..row).filter(|&down| at(fraction, channel, down) == INK).count();
    assert!(ink(0, 0.5) > 0 && ink(1, 0.5) > 0);
    let long = Picture { signal: Some(Signal { channels: 1, values: vec![0.0; 7] }), ..strip };
    assert!(drawn(&made, &long).1.iter().all(|p| p.0 != Kind::Overlay), "samples of something else");
}

#[test]
fn numbers_on_a_scale_have_room_between_them() {
    for limit in [0.111f32, 0.0735, 1.0, 0.13, 5.1, 2.49, 99.0] {
        for length in [60.0, 178.6, 357.2, 720.0] {
            let marks = panel::marks(&Scale::about_zero([limit]), length);
            let near = marks.windows(2).map(|pair| (pair[1] - pair[0]) / (2.0 * f64::from(limit)) * length);
            assert!(near.fold(f64::INFINITY, f64::min) >= 24.0, "{limit} on {length}: {marks:?}");
            assert!(marks.contains(&0.0) && marks.contains(&f64::from(limit)), "{marks:?}");
        }
    }
    assert_eq!(panel::marks(&Scale::about_zero([0.0]), 100.0), [0.0]);
}

/// Names of inner tensors are long: the figure gets lines, the end of the caption is not lost.
#[test]
fn a_long_caption_gets_more_lines() {
    let made = over(&[2, 50], &[1, 10], &[1, 10]);
    let second = MapTarget { label: "b".into(), ..made.targets[0].clone() };
    let two = |label: String| Map {
        targets: vec![MapTarget { label, ..made.targets[0].clone() }, second.clone()],
        sensitivity: made.sensitivity.repeat(2),
        scores: made.scores.repeat(2),
        ..made.clone()
    };
    let long = (0..18).map(|i| format!("layer{i}")).collect::<Vec<_>>().join(" ");
    let (short, long) = (drawn(&two("a".into()), &no_picture()), drawn(&two(long), &no_picture()));
    assert_eq!(long.0.height(), short.0.height() + 24, "one line more");
    assert_eq!(long.1[0].2.height, short.1[0].2.height);
}

#[test]
fn a_volume_becomes_three_planes_through_its_strongest_window() {
    let made = over(&[1, 8, 12, 16], &[4, 4, 4], &[4, 4, 4]);
    let (image, panels) = drawn(&made, &no_picture());
    assert_eq!(panels.len(), 3);
    for (_, _, area) in panels {
        let corner = image.get_pixel((area.right() - 8) as u32, (area.bottom() - 8) as u32).0;
        assert_eq!(corner, colour::ramp()[0]);
    }
}

#[test]
fn windows_on_the_channel_axis_show_the_channel_of_the_strongest() {
    let made = over(&[3, 4, 4], &[1, 2, 2], &[1, 2, 2]);
    let (image, panels) = drawn(&made, &picture(4, 4));
    let colours = middles(&image, &panels, Kind::Cells, 0, &made);
    assert_eq!(colours.len(), 4);
    assert_eq!(colours[3], colour::ramp()[0]);
}

#[test]
fn odd_maps_get_a_figure_too() {
    let nothing = map([4, 4], [2, 2], [2, 2], vec![f32::NAN; 4]);
    let zeros = map([4, 4], [2, 2], [2, 2], vec![0.0; 4]);
    let wide = over(&[1, 2, 400], &[2, 20], &[2, 20]);
    let tall = over(&[1, 400, 2], &[20, 2], &[20, 2]);
    let channels_of_a_signal = over(&[3, 30], &[1, 10], &[1, 10]);
    for made in [&nothing, &zeros, &wide, &tall, &channels_of_a_signal] {
        for picture in [&no_picture(), &picture(4, 4)] {
            let bytes = render(made, picture).unwrap();
            let image = image::load_from_memory(&bytes).unwrap();
            assert_eq!(image.width(), WIDTH as u32);
            assert_eq!(bytes, render(made, picture).unwrap());
        }
    }
}

#[test]
fn a_broken_picture_is_an_error() {
    let made = map([4, 4], [2, 2], [2, 2], vec![0.5; 4]);
    let error = render(&made, &Picture { rgb: vec![0; 7], ..picture(4, 4) }).unwrap_err();
    assert!(error.to_string().contains("7 bytes is not one of 4 × 4"), "{error}");
}
