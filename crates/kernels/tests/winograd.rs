//! Winograd's filtering against the sums that it stands for, at every instruction set, along one to three axes.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Noise, config};
use occlude_kernels::{
    Epilogue, Isa, PAD, PackedB, Rows, Winograd, WinogradScratch, WinogradTile, WinogradTiles, naive,
};
use proptest::prelude::*;

/// Coordinates of every place of a box of these lengths, row-major.
fn places(lengths: &[usize]) -> Vec<Vec<usize>> {
    lengths.iter().fold(vec![vec![]], |places, &n| {
        places.iter().flat_map(|place| (0..n).map(|i| [&place[..], &[i]].concat())).collect()
    })
}

fn index(lengths: &[usize], place: &[usize]) -> usize {
    lengths.iter().zip(place).fold(0, |at, (n, i)| at * n + i)
}

/// The offset of `place - 1` in a box of runs, or padding if it lies outside.
fn entry(lengths: &[usize], place: &[usize], run: usize) -> u32 {
    let inside: Option<Vec<usize>> =
        place.iter().zip(lengths).map(|(i, n)| i.checked_sub(1).filter(|i| i < n)).collect();
    inside.map_or(PAD, |place| (index(lengths, &place) * run) as u32)
}

fn compare(tile: WinogradTile, lengths: &[usize], channels: usize, columns: usize, noise: &mut Noise) {
    let rank = lengths.len();
    let taps = 3_usize.pow(rank as u32);
    let all = places(lengths);
    let (change, weights) = (noise.values(all.len() * channels), noise.values(taps * channels * columns));
    let start = noise.values(all.len() * columns);

    // "Same" padding: output place o reads o - 1, o and o + 1.
    let table: Vec<u32> = all
        .iter()
        .flat_map(|place| {
            places(&vec![3; rank]).into_iter().map(|tap| (place.clone(), tap)).collect::<Vec<_>>()
        })
        .map(|(place, tap)| {
            let read: Vec<usize> = place.iter().zip(&tap).map(|(o, t)| o + t).collect();
            entry(lengths, &read, channels)
        })
        .collect();
    let rows = Rows {
        sources: [&change, &[], &[]],
        table: &table,
        taps,
        seg: channels,
        pixels: all.len(),
        rows: all.len(),
        ..Rows::default()
    };
    let mut expected = vec![0.0; start.len()];
    naive::gemm_rows(&rows, &weights, columns, &mut expected, columns, 0, &Epilogue::default());
    expected.iter_mut().zip(&start).for_each(|(sum, start)| *sum += start);

    let (m, t) = (tile.outputs(), tile.inputs());
    let tiles: Vec<usize> = lengths.iter().map(|n| n.div_ceil(m)).collect();
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for origin in places(&tiles) {
        let at = |offset: &[usize]| origin.iter().zip(offset).map(|(o, i)| o * m + i).collect::<Vec<_>>();
        inputs.extend(places(&vec![t; rank]).iter().map(|offset| entry(lengths, &at(offset), channels)));
        outputs.extend(places(&vec![m; rank]).iter().map(|offset| {
            let plus_one: Vec<usize> = at(offset).iter().map(|i| i + 1).collect();
            entry(lengths, &plus_one, columns)
        }));
    }
    let bound = 3e-6 * (taps * channels) as f32;
    for isa in Isa::available() {
        let winograd = Winograd::new(isa, tile, rank, &weights, channels, columns);
        let spare = winograd.bytes() - Winograd::bytes_of(tile, rank, channels, columns);
        assert!(spare <= 64 * t.pow(rank as u32), "{spare} bytes more than said");
        let mut out = start.clone();
        let tiles = WinogradTiles { change: &change, inputs: &inputs, outputs: &outputs };
        winograd.add(&tiles, &mut WinogradScratch::default(), &mut out);
        for (at, (got, expected)) in out.iter().zip(&expected).enumerate() {
            assert!(
                (got - expected).abs() <= bound,
                "{isa:?} {tile:?} {lengths:?} {channels} to {columns}, element {at}: {got} for {expected}"
            );
        }
        assert_eq!(PackedB::pack(isa, &weights, taps * channels, columns).unpack(), weights);
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn equals_the_sums_it_stands_for(
        lengths in proptest::collection::vec(1usize..9, 1..=3),
        four in any::<bool>(),
        (channels, columns) in (1usize..3, 1usize..4),
        seed in any::<u64>(),
    ) {
        let tile = if four && lengths.len() < 3 { WinogradTile::Four } else { WinogradTile::Two };
        compare(tile, &lengths, channels * 16, columns * 16, &mut Noise(seed));
    }
}

/// More tiles than are worked on at once.
#[test]
fn chunks_of_tiles_join() {
    compare(WinogradTile::Four, &[150, 150], 48, 16, &mut Noise(4));
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    assert!(Winograd::fits(WinogradTile::Four, 2, 16, 32));
    assert!(!Winograd::fits(WinogradTile::Four, 3, 16, 32));
    assert!(!Winograd::fits(WinogradTile::Two, 3, 24, 32));
}
