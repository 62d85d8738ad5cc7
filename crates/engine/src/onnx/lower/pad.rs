//! Padding of every mode, as one pick per axis.
//!
//! Zero padding is remembered, so that a convolution behind it can take it in.

use std::sync::Arc;

use super::super::importer::Importer;
use super::super::layout::{ZeroPad, check_table};
use super::super::site::{Site, axis};
use super::super::value::{Dynamic, Value};
use crate::graph::Op;
use crate::{Error, Result};

/// Elements added before and after one model axis; negative ones are cut off.
type Pads = Vec<(i64, i64)>;

fn pads_of(site: &Site, rank: usize) -> Result<Pads> {
    let list = if site.opset < 11 {
        site.ints(if site.has("pads") { "pads" } else { "paddings" })?.map(<[i64]>::to_vec)
    } else {
        Some(site.need_constant(1)?.to_i64()?.to_vec())
    };
    let list = list.ok_or_else(|| Error::model("pads are missing"))?;
    let axes: Vec<usize> = match site.constant(3)? {
        Some(c) => c.to_i64()?.iter().map(|&a| axis(a, rank)).collect::<Result<_>>()?,
        None => (0..rank).collect(),
    };
    if list.len() != 2 * axes.len() {
        return Err(Error::model(format!("pads {list:?} for {} axes", axes.len())));
    }
    let mut pads = vec![(0, 0); rank];
    for (i, &at) in axes.iter().enumerate() {
        pads[at] = (list[i], list[axes.len() + i]);
    }
    Ok(pads)
}

/// Which element each place of a padded axis of `len` elements shows.
fn table(mode: &str, len: usize, (before, after): (i64, i64)) -> Result<Vec<Option<usize>>> {
    let cut = (before.min(0).unsigned_abs() as usize, after.min(0).unsigned_abs() as usize);
    let Some(kept) = len.checked_sub(cut.0 + cut.1).filter(|&n| n > 0) else {
        return Err(Error::model(format!("pads of {before} and {after} leave nothing of {len} elements")));
    };
    let (before, after, n) = (before.max(0), after.max(0), kept as i64);
    check_table((before as usize).saturating_add(after as usize).saturating_add(kept))?;
    let index = |i: i64| -> Result<Option<i64>> {
        if (0..n).contains(&i) {
            return Ok(Some(i));
        }
        Ok(match mode {
            "constant" => None,
            "edge" => Some(i.clamp(0, n - 1)),
            "wrap" => Some(i.rem_euclid(n)),
            "reflect" => {
                let period = (2 * (n - 1)).max(1);
                let at = i.rem_euclid(period);
                Some(if at < n { at } else { period - at })
            }
            other => return Err(Error::model(format!("attribute mode is \"{other}\""))),
        })
    };
    (-before..n + after).map(|i| Ok(index(i)?.map(|i| i as usize + cut.0))).collect()
}

impl Importer<'_> {
    pub(super) fn pad(&mut self, site: &Site) -> Result<Vec<Value>> {
        let x = site.dynamic(0)?;
        let mode = site.text_or("mode", "constant")?;
        let fill = if site.opset < 11 {
            site.float_or("value", 0.0)?
        } else {
            site.constant(2)?
                .map_or(Ok(0.0), |c| c.scalar().ok_or_else(|| Error::model("the fill is not one value")))?
        };
        let pads = pads_of(site, x.rank())?;
        if pads.iter().all(|&pad| pad == (0, 0)) {
            return Ok(vec![Value::Dynamic(x.clone())]);
        }
        let tables =
            (0..x.rank()).map(|place| table(mode, x.stored[place], pads[x.order[place]]).map(Arc::new));
        let indices = tables.collect::<Result<Vec<_>>>()?;
        let stored = indices.iter().map(|table| table.len()).collect();
        let y = self.emit(Op::Pick { indices, fill }, &[x.id], stored, x.order.clone(), x.dtype)?;
        let is_zero = mode == "constant" && fill == 0.0 && pads.iter().all(|&(b, a)| b >= 0 && a >= 0);
        if is_zero {
            self.remember(x, &y, &pads);
        }
        Ok(vec![Value::Dynamic(y)])
    }

    fn remember(&mut self, x: &Dynamic, y: &Dynamic, pads: &Pads) {
        let stored = x.order.iter().map(|&axis| (pads[axis].0 as usize, pads[axis].1 as usize));
        let pad = ZeroPad { source: x.id, source_stored: x.stored.clone(), pads: stored.collect() };
        self.zero_pads.insert(y.id, pad);
    }
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn every_mode_shows_the_right_element() {
        type Case = (&'static str, usize, (i64, i64), &'static [i64]);
        let cases: [Case; 8] = [
            ("constant", 2, (1, 2), &[-1, 0, 1, -1, -1]),
            ("edge", 3, (2, 1), &[0, 0, 0, 1, 2, 2]),
            ("reflect", 3, (2, 2), &[2, 1, 0, 1, 2, 1, 0]),
            ("reflect", 1, (2, 1), &[0, 0, 0, 0]),
            ("wrap", 3, (2, 1), &[1, 2, 0, 1, 2, 0]),
            ("constant", 5, (-1, -2), &[1, 2]),
            ("constant", 3, (-1, 1), &[1, 2, -1]),
            ("reflect", 2, (3, 0), &[1, 0, 1, 0, 1]),
        ];
        for (mode, len, pads, expected) in cases {
            let got: Vec<i64> =
                table(mode, len, pads).unwrap().into_iter().map(|i| i.map_or(-1, |i| i as i64)).collect();
            assert_eq!(got, expected, "{mode} {len} {pads:?}");
        }
        assert!(table("constant", 3, (-2, -1)).is_err());
        assert!(table("mirror", 3, (1, 1)).is_err());
    }
}
