//! Every instruction set against the plain loops, and the plain loops against Pillow.

use super::*;
use crate::isa::Isa;

const FILTERS: [(&str, Filter); 4] = [
    ("nearest", Filter::Nearest),
    ("bilinear", Filter::Bilinear),
    ("bicubic", Filter::Bicubic),
    ("lanczos", Filter::Lanczos),
];

/// The pixels that `reference/resample/make.py` gives to Pillow: bytes of a counter through a mixing function.
fn picture(width: usize, height: usize, seed: u32) -> Vec<u8> {
    let byte = |index: usize| {
        let mut state = (index as u32).wrapping_add(seed.wrapping_mul(0x9e37_79b9));
        state = (state ^ (state >> 16)).wrapping_mul(0x7feb_352d);
        state = (state ^ (state >> 15)).wrapping_mul(0x846c_a68b);
        // Half noise, half steep edges, so that both overshoot and clamping occur.
        let noise = (state ^ (state >> 16)) as u8;
        if (index / 37).is_multiple_of(2) { noise } else { (noise & 1) * 255 }
    };
    (0..width * height * CHANNELS).map(byte).collect()
}

fn resampled(isa: Isa, plan: &Resampler, pixels: &[u8]) -> Vec<u8> {
    let (width, height) = plan.output();
    let mut out = vec![0; width * height * CHANNELS];
    plan.run(isa, pixels, &mut Scratch::default(), &mut out);
    out
}

/// A small generator, so that the sizes are the same in every run.
struct Sizes(u64);

impl Sizes {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

#[test]
fn every_instruction_set_gives_the_scalar_bits() {
    let mut sizes = Sizes(7);
    let mut failures = Vec::new();
    for round in 0..400 {
        let mut size = |tall: usize| 1 + sizes.next([1, 3, 9, 40, tall][round % 5]);
        let (source, target) = ((size(300), size(200)), (size(200), size(300)));
        let (left, top) = (sizes.next(target.0), sizes.next(target.1));
        let (width, height) = (1 + sizes.next(target.0 - left), 1 + sizes.next(target.1 - top));
        let crop = Crop { left, top, width, height };
        let pixels = picture(source.0, source.1, round as u32);
        for (name, filter) in FILTERS {
            let plan = Resampler::new(filter, source, target, crop);
            let expected = resampled(Isa::SCALAR, &plan, &pixels);
            for isa in Isa::available() {
                if resampled(isa, &plan, &pixels) != expected {
                    failures.push(format!("{name} on {}: {source:?} to {target:?}, {crop:?}", isa.name()));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn a_crop_is_a_part_of_the_whole() {
    let (source, target) = ((61, 47), (37, 83));
    let pixels = picture(source.0, source.1, 1);
    for (name, filter) in FILTERS {
        let whole = Crop { left: 0, top: 0, width: target.0, height: target.1 };
        let all = resampled(Isa::SCALAR, &Resampler::new(filter, source, target, whole), &pixels);
        let crop = Crop { left: 5, top: 11, width: 20, height: 50 };
        let part = resampled(Isa::SCALAR, &Resampler::new(filter, source, target, crop), &pixels);
        for row in 0..crop.height {
            let from = ((crop.top + row) * target.0 + crop.left) * CHANNELS;
            let bytes = crop.width * CHANNELS;
            assert_eq!(part[row * bytes..][..bytes], all[from..][..bytes], "{name}, row {row}");
        }
    }
}

#[test]
fn a_reused_plan_gives_what_a_new_one_gives_and_keeps_its_memory() {
    let mut plan = Resampler::default();
    let mut scratch = Scratch::default();
    for (source, target) in [((90, 70), (40, 30)), ((7, 5), (40, 30)), ((90, 70), (40, 30))] {
        let crop = Crop { left: 3, top: 2, width: 32, height: 20 };
        let pixels = picture(source.0, source.1, 3);
        plan.plan(Filter::Bicubic, source, target, crop);
        let capacity = (plan.horizontal.weights.capacity(), scratch.between.capacity());
        let mut out = vec![0; crop.width * crop.height * CHANNELS];
        plan.run(Isa::best(), &pixels, &mut scratch, &mut out);
        let fresh = Resampler::new(Filter::Bicubic, source, target, crop);
        assert_eq!(out, resampled(Isa::SCALAR, &fresh, &pixels), "{source:?}");
        if source == (7, 5) {
            assert_eq!((plan.horizontal.weights.capacity(), scratch.between.capacity()), capacity);
        }
    }
}

/// CRC-32 as zlib computes it.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn every_instruction_set_gives_pillows_bits() {
    let cases = include_str!("../../../../reference/resample/cases.csv");
    let mut failures = Vec::new();
    let mut count = 0;
    for case in cases.lines().skip(1) {
        let fields: Vec<&str> = case.split(',').collect();
        let [name, seed, source, target, crop, expected] = fields[..] else { panic!("{case}") };
        let numbers =
            |field: &str| field.split(' ').map(|number| number.parse().unwrap()).collect::<Vec<usize>>();
        let (source, target, crop) = (numbers(source), numbers(target), numbers(crop));
        let (source, target) = ((source[0], source[1]), (target[0], target[1]));
        let crop = Crop { left: crop[0], top: crop[1], width: crop[2], height: crop[3] };
        let (_, filter) = FILTERS.into_iter().find(|(known, _)| *known == name).unwrap();
        let pixels = picture(source.0, source.1, seed.parse().unwrap());
        let plan = Resampler::new(filter, source, target, crop);
        for isa in Isa::available() {
            count += 1;
            if format!("{:08x}", crc32(&resampled(isa, &plan, &pixels))) != expected {
                failures.push(format!("{}: {case}", isa.name()));
            }
        }
    }
    assert!(count >= 700, "{count} cases");
    assert!(failures.is_empty(), "{} of {count} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn extreme_proportions_need_only_the_crop() {
    // A line of a hundred million pixels, 256 wide after resizing, is 25 thousand million long.
    let crop = Crop { left: 0, top: 12_799_999_888, width: 224, height: 224 };
    for (name, filter) in FILTERS {
        let plan = Resampler::new(filter, (1, 100_000_000), (256, 25_600_000_000), crop);
        assert!(plan.vertical.span().len() < 20, "{name}");
    }
}
