//! Signals from CSV and WAV files: samples along one axis, of one or several channels.
//!
//! In: the bytes of a file and what the model wants. Out: an [`Input`], its samples neither resampled nor scaled, but that whole numbers of a WAV file become -1 to 1. Read by the crates `csv` and `hound`.

use std::io::Cursor;
use std::path::Path;

use hound::{SampleFormat, WavReader};

use super::{Input, InputPort};
use crate::error::{Error, Result};
use crate::tensor::{Layout, TensorSpec};

/// Names of columns that say when a sample was taken, and are no channel.
const TIMES: [&str; 7] = ["time", "t", "index", "sample", "seconds", "ms", "frequency"];

/// Samples row by row, one number per channel.
struct Samples {
    channels: usize,
    values: Vec<f32>,
    notes: Vec<String>,
}

/// Whether this is such a file, and the model's input has one axis of places.
pub(super) fn is_signal(bytes: &[u8], path: &Path, port: &InputPort) -> bool {
    let is_csv =
        path.extension().is_some_and(|e| ["csv", "tsv"].iter().any(|name| e.eq_ignore_ascii_case(name)));
    port.dims.len() <= 2 && (is_csv || is_wav(bytes))
}

fn is_wav(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE")
}

/// Reads it.
///
/// # Errors
/// File: damaged, something that is no number. Argument: a length or a number of channels that does not fit the model. Number: NaN or infinity.
pub(super) fn read(bytes: &[u8], path: &Path, port: &InputPort) -> Result<Input> {
    let in_file = |e: Error| e.in_context(path.display());
    let samples = if is_wav(bytes) { wav(bytes) } else { csv(bytes) }.map_err(in_file)?;
    let mut input = as_input(samples, port).map_err(in_file)?;
    input.geometry.unit = "samples".into();
    Ok(input)
}

fn wav(bytes: &[u8]) -> Result<Samples> {
    let damaged = |e: hound::Error| Error::file(format!("it is a damaged or unsupported WAV file: {e}"));
    let reader = WavReader::new(Cursor::new(bytes)).map_err(damaged)?;
    let (spec, claimed) = (reader.spec(), reader.len() as usize);
    let values: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.into_samples::<f32>().collect::<Result<_, _>>().map_err(damaged)?,
        SampleFormat::Int => {
            let full = 2f64.powi(i32::from(spec.bits_per_sample) - 1);
            let one = |sample: Result<i32, hound::Error>| Ok((f64::from(sample?) / full) as f32);
            reader.into_samples::<i32>().map(one).collect::<Result<_, _>>().map_err(damaged)?
        }
    };
    if values.len() != claimed {
        return Err(Error::file(format!(
            "it is truncated: {claimed} samples are claimed, {} are there",
            values.len()
        )));
    }
    let rate = f64::from(spec.sample_rate);
    let channels = usize::from(spec.channels);
    let length = values.len() / channels.max(1);
    let note = format!(
        "{length} samples at {rate} Hz ({:.3} s), {} bits{}",
        length as f64 / rate.max(1.0),
        spec.bits_per_sample,
        if spec.sample_format == SampleFormat::Int { ", scaled to -1 to 1" } else { "" }
    );
    Ok(Samples { channels, values, notes: vec![note] })
}

fn csv(bytes: &[u8]) -> Result<Samples> {
    let head = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let most = [b',', b';', b'\t'].into_iter().max_by_key(|d| head.iter().filter(|b| *b == d).count());
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(most.unwrap_or(b','))
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(bytes);
    let (mut values, mut width) = (Vec::new(), 0);
    let (mut notes, mut left_out) = (Vec::new(), None);
    for (place, record) in reader.records().enumerate() {
        let record = record.map_err(|e| Error::file(format!("it is no table of numbers: {e}")))?;
        let line = record.position().map_or(place as u64 + 1, csv::Position::line);
        if place == 0 {
            width = record.len();
            if record.iter().all(|cell| cell.parse::<f64>().is_err()) {
                let is_time = |name: &str| {
                    let word = name.to_lowercase();
                    TIMES.contains(&word.split([' ', '[', '(']).next().unwrap_or_default())
                };
                left_out = record.iter().position(is_time).filter(|_| width > 1);
                if let Some(column) = left_out {
                    notes.push(format!(
                        "the column \"{}\" says when samples were taken and is no channel",
                        &record[column]
                    ));
                }
                continue;
            }
        }
        for (column, cell) in record.iter().enumerate().filter(|(column, _)| Some(*column) != left_out) {
            values.push(cell.parse().map_err(|_| {
                Error::file(format!("line {line}, column {}: \"{cell}\" is no number", column + 1))
                    .with_hint("signals are lines of numbers, one line a sample, one column a channel, with or without a line of names")
            })?);
        }
    }
    if values.is_empty() {
        return Err(Error::file("it has no samples"));
    }
    Ok(Samples { channels: width - usize::from(left_out.is_some()), values, notes })
}

/// Samples as the model's input, lines as samples or, where only that fits, as channels.
fn as_input(samples: Samples, port: &InputPort) -> Result<Input> {
    let Samples { channels, values, mut notes } = samples;
    let length = values.len() / channels.max(1);
    let fits = |channels: usize, length: usize| {
        let shape = shape(channels, length, port);
        port.spec(&shape).is_ok() && (port.dims.len() == 2 || channels == 1)
    };
    let (channels, length, is_turned) = if fits(channels, length) {
        (channels, length, false)
    } else if fits(length, channels) {
        (length, channels, true)
    } else {
        return Err(Error::argument(format!(
            "{length} samples of {channels} channel{}, the model's input \"{}\" is {} ({})",
            if channels == 1 { "" } else { "s" },
            port.name,
            port.shape_text(),
            port.layout
        ))
        .with_hint(
            "signals are taken as they are: cut, pad or resample them before, to the model's length",
        ));
    };
    if is_turned {
        notes.push("lines are channels, columns are samples: only so it fits the model".into());
    }
    // In the table a line has one number per channel; a turned table has one line per channel.
    let channels_first = port.dims.len() == 1 || port.layout == Layout::ChannelsFirst;
    let values = if is_turned == channels_first {
        values
    } else {
        let (outer, inner) = if channels_first { (channels, length) } else { (length, channels) };
        (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))).map(|(o, i)| values[i * outer + o]).collect()
    };
    let mut input =
        Input::from_tensor(TensorSpec::new(&port.name, &shape(channels, length, port), port.layout), values)?;
    input.notes = notes;
    Ok(input)
}

fn shape(channels: usize, length: usize, port: &InputPort) -> Vec<usize> {
    match (port.dims.len(), port.layout) {
        (1, _) => vec![length],
        (_, Layout::ChannelsFirst) => vec![channels, length],
        (_, Layout::ChannelsLast) => vec![length, channels],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(dims: &[Option<usize>], layout: Layout) -> InputPort {
        InputPort { name: "x".into(), dims: dims.to_vec(), layout }
    }

    fn table(text: &str, dims: &[Option<usize>], layout: Layout) -> Result<Input> {
        read(text.as_bytes(), Path::new("a.csv"), &port(dims, layout))
    }

    #[test]
    fn tables_of_samples() {
        let two = "time [s];I;II\n0;1;2\n0.5;3;4\n1;5;6\n";
        let first = table(two, &[Some(2), None], Layout::ChannelsFirst).expect("fits");
        assert_eq!(
            (first.spec.shape.as_slice(), &first.values[..]),
            (&[2, 3][..], &[1.0, 3.0, 5.0, 2.0, 4.0, 6.0][..])
        );
        assert!(first.notes[0].contains("\"time [s]\""), "{:?}", first.notes);
        assert_eq!(first.geometry.unit, "samples");
        let last = table(two, &[None, Some(2)], Layout::ChannelsLast).expect("fits");
        assert_eq!((last.spec.shape.as_slice(), last.values[1]), (&[3, 2][..], 2.0));
        let turned = table("1,3,5\n2,4,6\n", &[Some(2), Some(3)], Layout::ChannelsFirst).expect("fits");
        assert_eq!((&turned.values, turned.notes.len()), (&first.values, 1));
        let line = table("1,2,3\n", &[Some(3)], Layout::ChannelsFirst).expect("fits");
        assert_eq!(line.values, [1.0, 2.0, 3.0]);
        let column = table("value\n1\n2\n3\n", &[Some(3)], Layout::ChannelsFirst).expect("fits");
        assert_eq!(column.values, line.values);
    }

    #[test]
    fn tables_that_are_none() {
        let error =
            |text: &str| table(text, &[Some(1), Some(3)], Layout::ChannelsFirst).expect_err(text).to_string();
        assert!(error("1\n2\nx\n").contains("a.csv: line 3, column 1: \"x\" is no number"));
        assert!(error("1\n2\n").contains("2 samples of 1 channel, the model's input \"x\" is [1, 3]"));
        assert!(error("1,2\n3\n").contains("no table of numbers"));
        assert!(error("a,b\n").contains("no samples"));
        assert!(error("1\nnan\n3\n").contains("NaN"));
    }

    #[test]
    fn samples_of_a_wav_file() {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 100,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).expect("writes");
        [0i16, -32768, 16384, 32767].into_iter().for_each(|v| writer.write_sample(v).expect("writes"));
        writer.finalize().expect("ends");
        let bytes = bytes.into_inner();
        let input =
            read(&bytes, Path::new("a.wav"), &port(&[None, None], Layout::ChannelsFirst)).expect("reads");
        assert_eq!(input.spec.shape, [2, 2]);
        assert_eq!(input.values, [0.0, 0.5, -1.0, 32767.0 / 32768.0]);
        assert!(
            input.notes[0].contains("2 samples at 100 Hz (0.020 s), 16 bits, scaled"),
            "{:?}",
            input.notes
        );
        let cut =
            read(&bytes[..bytes.len() - 2], Path::new("a.wav"), &port(&[None, None], Layout::ChannelsFirst));
        assert!(cut.is_err());
    }
}
