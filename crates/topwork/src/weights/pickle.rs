//! Looks a pickle through before a library builds what it describes: which Python names it uses, and how much there
//! would be to build. Nothing is built here, and a name is only a name. The opcodes are those of CPython's `pickletools`.

use std::collections::{BTreeSet, HashMap};

use super::refused;
use crate::error::{Error, Result};

/// Objects that may be made by copying others, with all that is in them. ResNet-50 with the state of AdamW needs fewer;
/// each level of a "billion laughs" makes twice as many as the one before.
const MAX_COPIES: u64 = 200_000;

/// How deep objects may lie in each other.
const MAX_DEPTH: u32 = 100;

/// A value on the unpickler's stack.
#[derive(Clone, Copy)]
struct Item<'a> {
    /// Objects in it, itself included.
    objects: u64,
    depth: u32,
    /// Its bytes, where it is a string.
    text: &'a [u8],
}

/// A walk through the opcodes of one pickle.
pub(super) struct Survey<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Item<'a>>,
    marks: Vec<usize>,
    memo: HashMap<u64, Item<'a>>,
    copies: u64,
    /// `module.name` of all that the pickle would import.
    globals: BTreeSet<String>,
}

impl<'a> Survey<'a> {
    /// Walks from `start` to the end of the pickle there; gives where it ends, and adds to the names.
    ///
    /// # Errors
    /// [`ErrorKind::Weights`](crate::ErrorKind::Weights) if the pickle is damaged or would grow beyond the limits.
    pub(super) fn walk(bytes: &'a [u8], start: usize, globals: &mut BTreeSet<String>) -> Result<usize> {
        let mut survey = Survey {
            bytes,
            at: start,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            copies: 0,
            globals: BTreeSet::new(),
        };
        while survey.step()? {}
        globals.append(&mut survey.globals);
        Ok(survey.at)
    }

    /// One opcode; false at the end of the pickle.
    fn step(&mut self) -> Result<bool> {
        let opcode = self.take(1)?[0];
        match opcode {
            b'.' => return Ok(false),
            // Protocol, frame: about the stream itself.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            // None, true, false; numbers.
            b'N' | 0x88 | 0x89 => self.scalar(b""),
            b'I' | b'L' | b'F' => self.line().map(|_| self.scalar(b""))?,
            b'K' => self.take(1).map(|_| self.scalar(b""))?,
            b'M' => self.take(2).map(|_| self.scalar(b""))?,
            b'J' => self.take(4).map(|_| self.scalar(b""))?,
            b'G' => self.take(8).map(|_| self.scalar(b""))?,
            0x8a => self.counted(1).map(|_| self.scalar(b""))?,
            0x8b => self.counted(4).map(|_| self.scalar(b""))?,
            // Strings and bytes.
            b'V' | b'S' => self.line().map(|text| self.scalar(text))?,
            0x8c | b'U' => self.counted(1).map(|text| self.scalar(text))?,
            b'X' | b'T' => self.counted(4).map(|text| self.scalar(text))?,
            0x8d => self.counted(8).map(|text| self.scalar(text))?,
            b'C' => self.counted(1).map(|_| self.scalar(b""))?,
            b'B' => self.counted(4).map(|_| self.scalar(b""))?,
            0x8e | 0x96 => self.counted(8).map(|_| self.scalar(b""))?,
            // Containers: empty; of all since the mark; of the last few.
            b')' | b']' | b'}' | 0x8f => self.scalar(b""),
            b't' | b'l' | b'd' | 0x91 => {
                let items = self.since_mark()?;
                self.push(&items)?;
            }
            0x85 => self.last(1)?,
            0x86 => self.last(2)?,
            0x87 => self.last(3)?,
            // Into the container below: append, set; the same for all since the mark.
            b'a' => self.last(2)?,
            b's' => self.last(3)?,
            b'e' | b'u' | 0x90 => {
                let mut items = self.since_mark()?;
                items.push(self.pop()?);
                self.push(&items)?;
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => drop(self.since_mark()?),
            b'2' => {
                let item = self.pop()?;
                self.stack.push(item);
                self.copy(item)?;
                self.stack.push(item);
            }
            b'g' | b'h' | b'j' => {
                let key = self.key(opcode == b'g', if opcode == b'h' { 1 } else { 4 })?;
                let Some(&item) = self.memo.get(&key) else {
                    return Err(self.damaged("a reference to what was not kept"));
                };
                self.copy(item)?;
                self.stack.push(item);
            }
            b'p' | b'q' | b'r' => {
                let key = self.key(opcode == b'p', if opcode == b'q' { 1 } else { 4 })?;
                self.keep(key)?;
            }
            0x94 => self.keep(self.memo.len() as u64)?,
            // Names: in the stream, or as two strings on the stack.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.name(module, name);
                self.scalar(b"");
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                self.name(module.text, name.text);
                self.scalar(b"");
            }
            // A reference to a tensor; calls, objects and their state.
            b'P' => self.line().map(|_| self.scalar(b""))?,
            b'Q' => self.last(1)?,
            b'R' | 0x81 | b'b' => self.last(2)?,
            0x92 => self.last(3)?,
            other => return Err(self.damaged(&format!("the opcode 0x{other:02x}"))),
        }
        Ok(true)
    }

    fn scalar(&mut self, text: &'a [u8]) {
        self.stack.push(Item { objects: 1, depth: 0, text });
    }

    /// One object around these.
    fn push(&mut self, items: &[Item<'a>]) -> Result<()> {
        let objects = items.iter().fold(1_u64, |sum, item| sum.saturating_add(item.objects));
        let depth = items.iter().map(|item| item.depth + 1).max().unwrap_or(0);
        if depth > MAX_DEPTH {
            return Err(self.damaged(&format!("objects in objects, more than {MAX_DEPTH} deep")));
        }
        self.stack.push(Item { objects, depth, text: b"" });
        Ok(())
    }

    /// One object around the last `count`.
    fn last(&mut self, count: usize) -> Result<()> {
        let items: Vec<Item> = (0..count).map(|_| self.pop()).collect::<Result<_>>()?;
        self.push(&items)
    }

    fn pop(&mut self) -> Result<Item<'a>> {
        if self.marks.last() == Some(&self.stack.len()) {
            return Err(self.damaged("a mark where a value is needed"));
        }
        self.stack.pop().ok_or_else(|| self.damaged("an opcode without its operands"))
    }

    fn since_mark(&mut self) -> Result<Vec<Item<'a>>> {
        let mark = self.marks.pop().ok_or_else(|| self.damaged("no mark"))?;
        Ok(self.stack.split_off(mark))
    }

    fn keep(&mut self, key: u64) -> Result<()> {
        let item = self.pop()?;
        self.copy(item)?;
        self.memo.insert(key, item);
        self.stack.push(item);
        Ok(())
    }

    /// A copy of that object is made: libraries without shared objects copy all that is in it, text included.
    fn copy(&mut self, item: Item) -> Result<()> {
        // A long text counts as more objects, so that memory is limited with them.
        let objects = item.objects.saturating_add(item.text.len() as u64 / 64);
        self.copies = self.copies.saturating_add(objects);
        if self.copies > MAX_COPIES {
            return Err(self.damaged(&format!("copies of copies, more than {MAX_COPIES} objects")));
        }
        Ok(())
    }

    fn name(&mut self, module: &[u8], name: &[u8]) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        self.globals.insert(format!("{}.{}", text(module), text(name)));
    }

    fn key(&mut self, line: bool, bytes: usize) -> Result<u64> {
        if !line {
            return Ok(number(self.take(bytes)?));
        }
        let text = std::str::from_utf8(self.line()?).ok().and_then(|text| text.trim_end().parse().ok());
        text.ok_or_else(|| self.damaged("a number that is none"))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let bytes = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or_else(|| self.damaged("the end of the file"))?;
        self.at += count;
        Ok(bytes)
    }

    /// As many bytes as the number of that many bytes says.
    fn counted(&mut self, bytes: usize) -> Result<&'a [u8]> {
        let count = number(self.take(bytes)?);
        self.take(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn line(&mut self) -> Result<&'a [u8]> {
        let length = self.bytes.get(self.at..).unwrap_or_default().iter().position(|byte| *byte == b'\n');
        let length = length.ok_or_else(|| self.damaged("the end of the file"))?;
        let line = self.take(length)?;
        self.at += 1;
        Ok(line)
    }

    fn damaged(&self, what: &str) -> Error {
        refused(format!("damaged pickle: {what}, at byte {}", self.at))
    }
}

/// Little-endian.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}
