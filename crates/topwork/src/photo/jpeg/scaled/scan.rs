//! One scan: its entropy-coded data, block by block. ITU-T T.81, Annexes F.2 and G.2.

use super::super::super::Unreadable;
use super::super::structure::{Scan, Structure};
use super::bits::Bits;
use super::component::{Component, MOST_KEPT, NOT_KEPT};
use super::huffman::{Code, Huffman, Runs};
use super::tables::Tables;

/// What a scan does to a block.
enum Step {
    /// All coefficients.
    Whole,
    /// The first coefficient down to this bit.
    First(u8),
    /// One more bit of the first coefficient.
    FirstRefined(u8),
    /// Others, down to this bit.
    Others(u8),
    /// One more bit of others.
    OthersRefined(u8),
}

/// The state within a scan.
struct Decoder<'a> {
    bits: Bits<'a>,
    /// By component of the scan.
    tables: Vec<ScanTables>,
    spectrum: (usize, usize),
    /// Blocks to come that bring no new coefficients.
    run: u32,
}

/// The tables of a component that the scan needs.
struct ScanTables {
    /// For first coefficients.
    first: Option<Huffman>,
    /// For the others.
    others: Option<Huffman>,
    /// For the others, too, to pass over them.
    runs: Option<Runs>,
}

/// Decodes a scan into the components that it names.
pub(super) fn decode(
    structure: &Structure,
    scan: &Scan,
    data: &[u8],
    tables: &Tables,
    components: &mut [Component],
) -> Result<(), Unreadable> {
    let step = step_of(structure, scan)?;
    let mut decoder = Decoder {
        bits: Bits::new(data),
        tables: Vec::new(),
        spectrum: (usize::from(scan.spectrum.0), usize::from(scan.spectrum.1)),
        run: 0,
    };
    for (place, (first, others)) in scan.components.iter().zip(&scan.tables) {
        let needs_first = matches!(step, Step::Whole | Step::First(_));
        let needs_others = matches!(step, Step::Whole | Step::Others(_) | Step::OthersRefined(_));
        let first = needs_first.then(|| tables.huffman(0, *first)).transpose()?;
        let others = needs_others.then(|| tables.huffman(1, *others)).transpose()?;
        let runs = others.as_ref().filter(|_| needs_first).map(Runs::new);
        decoder.tables.push(ScanTables { first, others, runs });
        let component = &mut components[*place];
        component.predicted = 0;
        if component.steps.is_none() {
            // The table that stands there when its first scan begins counts, as in libjpeg-turbo.
            let quantisation = tables.quantisation(structure.components[*place].quantisation)?;
            let mut steps = [0; MOST_KEPT];
            for (place, step) in
                component.places.iter().zip(quantisation).filter(|(place, _)| **place != NOT_KEPT)
            {
                steps[usize::from(*place)] = i32::from(*step);
            }
            component.steps = Some(steps);
        }
    }
    let alone = scan.components.len() == 1;
    let (across, down) = match &components[scan.components[0]] {
        component if alone => component.blocks,
        component => (component.padded.0 / component.unit.0, component.padded.1 / component.unit.1),
    };
    let (mut before_restart, mut marker) = (tables.restart, 0);
    for row in 0..down {
        for column in 0..across {
            if tables.restart > 0 {
                if before_restart == 0 {
                    decoder.bits.restart(marker)?;
                    decoder.run = 0;
                    scan.components.iter().for_each(|place| components[*place].predicted = 0);
                    (before_restart, marker) = (tables.restart, (marker + 1) % 8);
                }
                before_restart -= 1;
            }
            for (index, place) in scan.components.iter().enumerate() {
                let component = &mut components[*place];
                if alone {
                    let decoded = decoder.block(&step, index, component, (column, row));
                    decoded.map_err(|error| decoder.bits.reason(error))?;
                    continue;
                }
                let (width, height) = component.unit;
                for y in 0..height {
                    for x in 0..width {
                        let block = (column * width + x, row * height + y);
                        let decoded = decoder.block(&step, index, component, block);
                        decoded.map_err(|error| decoder.bits.reason(error))?;
                    }
                }
            }
            decoder.bits.check_end()?;
        }
    }
    Ok(())
}

fn step_of(structure: &Structure, scan: &Scan) -> Result<Step, Unreadable> {
    if !structure.is_progressive {
        return Ok(Step::Whole);
    }
    let is_first = scan.spectrum.0 == 0;
    if is_first && scan.spectrum.1 != 0 || !is_first && scan.components.len() != 1 || scan.bit > 13 {
        return Err(Unreadable::corrupt("a scan that a progressive file cannot have"));
    }
    Ok(match (is_first, scan.bit_before) {
        (true, 0) => Step::First(scan.bit),
        (true, _) => Step::FirstRefined(scan.bit),
        (false, 0) => Step::Others(scan.bit),
        (false, _) => Step::OthersRefined(scan.bit),
    })
}

fn beyond() -> Unreadable {
    Unreadable::corrupt("more coefficients than a block has")
}

impl Decoder<'_> {
    #[inline(always)]
    fn block(
        &mut self,
        step: &Step,
        index: usize,
        component: &mut Component,
        block: (usize, usize),
    ) -> Result<(), Unreadable> {
        if let Step::Whole = step {
            return self.whole(index, component, block);
        }
        let place = block.1 * component.padded.0 + block.0;
        let kept = component.kept();
        let coefficients = &mut component.coefficients[place * kept..][..kept];
        match step {
            Step::Whole => {}
            Step::First(bit) => {
                if let Some(table) = &self.tables[index].first {
                    component.predicted = component.predicted.wrapping_add(table.difference(&mut self.bits)?);
                    coefficients[0] = (component.predicted << bit) as i16;
                }
            }
            Step::FirstRefined(bit) => coefficients[0] |= (self.bits.take(1) << bit) as i16,
            Step::Others(bit) => {
                self.others(index, *bit, coefficients, &component.places, &mut component.nonzero[place])?;
            }
            Step::OthersRefined(bit) => {
                let nonzero = &mut component.nonzero[place];
                self.others_refined(index, *bit, coefficients, &component.places, nonzero)?;
            }
        }
        Ok(())
    }

    /// A block of a file that is not progressive.
    #[inline(always)]
    fn whole(
        &mut self,
        index: usize,
        component: &mut Component,
        block: (usize, usize),
    ) -> Result<(), Unreadable> {
        // A copy stays in registers.
        let mut bits = self.bits;
        let decoded = self.whole_from(&mut bits, index, component, block);
        self.bits = bits;
        decoded
    }

    #[inline(always)]
    fn whole_from(
        &self,
        bits: &mut Bits,
        index: usize,
        component: &mut Component,
        block: (usize, usize),
    ) -> Result<(), Unreadable> {
        let ScanTables { first: Some(first), others: Some(others), runs: Some(runs) } = &self.tables[index]
        else {
            return Ok(());
        };
        let steps = component.steps.as_ref().unwrap_or(&[0; MOST_KEPT]);
        component.predicted = component.predicted.wrapping_add(first.difference(bits)?);
        let dc = component.predicted.wrapping_mul(steps[0]);
        let mut coefficients = [0; MOST_KEPT];
        let (mut next, mut is_flat) = (1, true);
        while next <= component.last {
            let code = others.peek(bits)?;
            let size = u32::from(code.symbol & 15);
            next += usize::from(code.step);
            let place = *component.places.get(next.wrapping_sub(1)).unwrap_or(&NOT_KEPT);
            if size == 0 || place == NOT_KEPT {
                bits.consume(u32::from(code.total));
                continue;
            }
            bits.consume(u32::from(code.length));
            let place = usize::from(place) % MOST_KEPT;
            coefficients[place] = bits.number(size) * steps[place];
            is_flat = false;
        }
        // What is too fine is passed over.
        let next = runs.pass(others, bits, next)?;
        if next > 64 && next < usize::from(Code::END) {
            return Err(beyond());
        }
        if is_flat {
            component.write_flat(block, dc);
        } else {
            coefficients[0] = dc;
            component.write(block, &coefficients);
        }
        Ok(())
    }

    /// The first scan of coefficients behind the first.
    fn others(
        &mut self,
        index: usize,
        bit: u8,
        coefficients: &mut [i16],
        places: &[u8; 64],
        nonzero: &mut u64,
    ) -> Result<(), Unreadable> {
        if self.run > 0 {
            self.run -= 1;
            return Ok(());
        }
        let Some(table) = &self.tables[index].others else { return Ok(()) };
        let (mut next, last) = self.spectrum;
        while next <= last {
            let code = table.peek(&mut self.bits)?;
            let (zeros, size) = (u32::from(code.symbol >> 4), u32::from(code.symbol & 15));
            self.bits.consume(u32::from(code.length));
            if code.step == Code::END {
                self.run = (1 << zeros) - 1 + self.bits.take(zeros);
                break;
            }
            next += zeros as usize;
            let value = self.bits.number(size);
            if size > 0 {
                if next > last {
                    return Err(beyond());
                }
                *nonzero |= 1 << next;
                if let Some(coefficient) = coefficients.get_mut(usize::from(places[next])) {
                    *coefficient = (value << bit) as i16;
                }
            }
            next += 1;
        }
        Ok(())
    }

    /// A further bit of coefficients behind the first: of those that are not zero already, and new ones.
    fn others_refined(
        &mut self,
        index: usize,
        bit: u8,
        coefficients: &mut [i16],
        places: &[u8; 64],
        nonzero: &mut u64,
    ) -> Result<(), Unreadable> {
        let Some(table) = &self.tables[index].others else { return Ok(()) };
        let (mut next, last) = self.spectrum;
        let known = *nonzero;
        while self.run == 0 && next <= last {
            let symbol = table.symbol(&mut self.bits)?;
            let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 15);
            let value = match size {
                0 if zeros < 15 => {
                    self.run = (1 << zeros) + self.bits.take(zeros);
                    break;
                }
                0 => 0,
                1 if self.bits.take(1) == 1 => 1 << bit,
                1 => -1 << bit,
                _ => return Err(Unreadable::corrupt("a refinement of several bits")),
            };
            while next <= last {
                if known >> next & 1 == 1 {
                    refine(&mut self.bits, bit, coefficients, places[next]);
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                next += 1;
            }
            if value != 0 {
                if next > last {
                    return Err(beyond());
                }
                *nonzero |= 1 << next;
                if let Some(coefficient) = coefficients.get_mut(usize::from(places[next])) {
                    *coefficient = value;
                }
            }
            next += 1;
        }
        if self.run > 0 {
            let mut left =
                if next > last { 0 } else { known & (u64::MAX >> (63 - last)) & (u64::MAX << next) };
            while left != 0 {
                refine(&mut self.bits, bit, coefficients, places[left.trailing_zeros() as usize]);
                left &= left - 1;
            }
            self.run -= 1;
        }
        Ok(())
    }
}

/// One more bit of a coefficient that is not zero.
#[inline(always)]
fn refine(bits: &mut Bits, bit: u8, coefficients: &mut [i16], place: u8) {
    let more = bits.take(1) == 1;
    if let Some(coefficient) = coefficients.get_mut(usize::from(place)).filter(|_| more) {
        let magnitude = 1 << bit;
        if *coefficient & magnitude == 0 {
            *coefficient = coefficient.wrapping_add(if *coefficient < 0 { -magnitude } else { magnitude });
        }
    }
}
