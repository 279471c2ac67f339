//! How near the features of JPEGs that are decoded scaled down are to those of the whole decode: photos named on standard
//! input, a path a line. A line a photo goes to standard output: for an eighth, a quarter, and the rule's choice the
//! cosine of the two photos' features, and the milliseconds that decoding took.
//!
//! `measurements/scaled_decoding.py` makes photos for it.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::BufRead;
use std::time::Instant;

use topwork::backbone::{self, DEFAULT_BACKBONE};
use topwork::photo::{Limits, decode_for, read};
use topwork::preprocess::Scratch;
use topwork::{Isa, Precision};

fn main() -> Result<(), Box<dyn Error>> {
    let limits = Limits::default();
    let backbone = backbone::backbone(DEFAULT_BACKBONE, Precision::F32, Isa::best())?;
    let mut arena = backbone.network.arena();
    let mut scratch = Scratch::default();
    let mut pixels = vec![0; backbone.preprocess.len()];
    let mut features = |bytes: &[u8], shorter: u32| -> Result<(u32, Vec<f32>, f64), Box<dyn Error>> {
        let start = Instant::now();
        let photo = decode_for(bytes, &limits, shorter)?;
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        backbone.preprocess.pixels(&photo, backbone.network.isa(), &mut scratch, &mut pixels);
        let mut features = vec![0.0; backbone.network.feature_dim()];
        backbone.network.features(&pixels, &mut arena, &mut features);
        Ok((photo.width.min(photo.height), features, milliseconds))
    };
    println!("photo,shorter,whole_ms,eighth,eighth_ms,quarter,quarter_ms,rule,rule_ms,rule_shorter");
    for path in std::io::stdin().lock().lines() {
        let path = path?;
        let bytes = read(path.as_ref(), &limits)?;
        let (shorter, whole, milliseconds) = features(&bytes, u32::MAX)?;
        print!("{path},{shorter},{milliseconds:.1}");
        // The largest sides wanted that get an eighth and a quarter; the last one is what the line asks for.
        let mut left = 0;
        for wanted in [shorter / 15, shorter * 2 / 15, backbone.preprocess.shorter()] {
            let (scaled, features, milliseconds) = features(&bytes, wanted)?;
            print!(",{:.5},{milliseconds:.1}", cosine(&whole, &features));
            left = scaled;
        }
        println!(",{left}");
    }
    Ok(())
}

fn cosine(left: &[f32], right: &[f32]) -> f64 {
    let dot = |left: &[f32], right: &[f32]| -> f64 {
        left.iter().zip(right).map(|(left, right)| f64::from(*left) * f64::from(*right)).sum()
    };
    dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}
