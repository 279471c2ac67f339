//! Raw photos from standard input, height x width x 3 bytes each, become features and ImageNet logits on standard output: for each
//! photo 1,280 + 1,000 little-endian f32 values. Two worker threads, as a comparison with other programs wants it.
//! The arguments are the precision, `int8` or `f32`, and the backbone, without which it is the default one; `TOPWORK_ISA` forces an instruction set.

use std::io::{Read, Write};

use topwork::backbone::{self, DEFAULT_BACKBONE};
use topwork::{Isa, Precision};

const THREADS: usize = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let isa = match std::env::var("TOPWORK_ISA") {
        Ok(name) => Isa::named(&name).ok_or("TOPWORK_ISA names an instruction set that is not available")?,
        Err(_) => Isa::best(),
    };
    let row = backbone::row(std::env::args().nth(2).as_deref().unwrap_or(DEFAULT_BACKBONE))?;
    let named = |name: String| Precision::ALL.into_iter().find(|precision| precision.as_str() == name);
    let precision = std::env::args().nth(1).and_then(named).ok_or("the first argument is int8 or f32")?;
    let backbone = row.load(row.input, precision, isa)?;
    let mut pixels = Vec::new();
    std::io::stdin().lock().read_to_end(&mut pixels)?;
    let size = row.input.0 * row.input.1 * 3;
    if pixels.len() % size != 0 {
        return Err(format!("{} bytes are not a number of photos of {size}", pixels.len()).into());
    }
    let photos: Vec<&[u8]> = pixels.chunks_exact(size).collect();
    let imagenet = backbone.imagenet.as_ref().ok_or("the weights have no classifier")?;
    let width = row.feature_dim + imagenet.bias.len();
    let mut values = vec![0.0f32; photos.len() * width];
    let share = photos.len().div_ceil(THREADS).max(1);
    std::thread::scope(|scope| {
        for (photos, values) in photos.chunks(share).zip(values.chunks_mut(share * width)) {
            let backbone = &backbone;
            scope.spawn(move || {
                let mut arena = backbone.network.arena();
                for (pixels, values) in photos.iter().zip(values.chunks_exact_mut(width)) {
                    let (features, logits) = values.split_at_mut(row.feature_dim);
                    backbone.network.features(pixels, &mut arena, features);
                    logits.copy_from_slice(&imagenet.logits(features));
                }
            });
        }
    });
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::io::stdout().lock().write_all(&bytes)?;
    Ok(())
}
