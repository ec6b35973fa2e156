//! Whether the data of a JPEG are whole. Decoders fill in what they cannot read, mostly with grey, and report success.
//!
//! Source of the formats: ITU-T T.81, annex B (markers), F.2.2 (sequential) and G.1.2, G.2 (progressive).

use super::huffman::{AtEnd, Bits, HuffmanTable};
use super::segments::{EOI, Frame, FrameComponent, SOS, Segments, word};
use crate::JpegDamage;

/// Progressive files in circulation have about ten. Each may make a decoder visit all blocks for a few bytes.
const MAX_SCANS: usize = 256;

/// Some cameras write that many bytes too many, and every decoder passes over them.
const SPARE: usize = 2;

/// The largest mean of a block, times 8, and a quarter more for programs that round or edit it: means of 8 bits lie between
/// -128 and 127. Where bytes are missing, the differences that follow add up to other means.
const MOST: i32 = 1024 + 256;

/// Why a file is not whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The file has no end marker behind its last scan. The marker inside an embedded thumbnail does not count.
    NoEnd,
    Damage(JpegDamage),
}

impl From<JpegDamage> for Flaw {
    fn from(damage: JpegDamage) -> Self {
        Self::Damage(damage)
    }
}

/// Reads the codes of all scans without computing a pixel. What the check does not know (arithmetic coding, samples of
/// 12 bits, tables that are not in the file) it leaves to the decoder.
pub(super) fn check(bytes: &[u8]) -> Result<(), Flaw> {
    let mut state = State::default();
    let mut segments = Segments::new(bytes);
    while let Some((marker, segment)) = segments.next() {
        match marker {
            EOI => return Ok(state.finished()?),
            // Decoders disagree on what follows these in a header: a length, or the next marker.
            0x01 | 0xD0..=0xD8 if state.scans == 0 => {
                return Err(JpegDamage::BadHeader.into());
            }
            SOS => {
                let scan = state.begin(segment)?;
                let known = scan.is_some();
                match scan {
                    Some(scan) => scan.read(&mut state, &mut segments)?,
                    None => pass_over(&mut segments)?,
                }
                state.is_known &= known;
            }
            _ => state.take(marker, segment)?,
        }
    }
    Err(Flaw::NoEnd)
}

fn pass_over(segments: &mut Segments<'_>) -> Result<(), Flaw> {
    let mut data = Vec::new();
    while let 0xD0..=0xD7 = segments.entropy_coded(&mut data).ok_or(Flaw::NoEnd)? {
        segments.at += 2;
    }
    Ok(())
}

/// What the markers so far have set.
struct State {
    frame: Option<Frame>,
    is_progressive: bool,
    dc: Tables,
    ac: Tables,
    /// The step of the mean in each table of quantization.
    steps: [Option<u16>; 4],
    /// Units between two restarts; 0 for none.
    restart: usize,
    scans: usize,
    /// For each component and coefficient: the lowest bit that was read so far.
    lowest: Vec<[Option<u8>; 64]>,
    /// For each component and block: a bit for each coefficient that is not 0. For progressive files.
    filled: Vec<Vec<u64>>,
    is_known: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            frame: None,
            is_progressive: false,
            dc: Default::default(),
            ac: Default::default(),
            steps: [None; 4],
            restart: 0,
            scans: 0,
            lowest: Vec::new(),
            filled: Vec::new(),
            is_known: true,
        }
    }
}

impl State {
    fn take(&mut self, marker: u8, segment: &[u8]) -> Result<(), JpegDamage> {
        let taken = match marker {
            0xC4 => self.tables(segment),
            0xDB => self.quantization(segment),
            0xDD => segment.get(..2).map(|units| self.restart = word(units)),
            marker if Frame::begins(marker) => {
                let frame = Frame::parse(segment).ok_or(JpegDamage::BadHeader)?;
                frame.check_sampling()?;
                self.begin_frame(marker, frame);
                Some(())
            }
            _ => Some(()),
        };
        taken.ok_or(JpegDamage::BadHeader)
    }

    fn begin_frame(&mut self, marker: u8, frame: Frame) {
        let has_blocks =
            |part: &FrameComponent| part.sampling.iter().all(|count| (1..=4).contains(count));
        self.is_known &= matches!(marker, 0xC0..=0xC2)
            && frame.precision == 8
            && (1..=4).contains(&frame.components.len())
            && frame.components.iter().all(has_blocks)
            && frame.size.height > 0
            && frame.size.width > 0
            && self.frame.is_none();
        self.is_progressive = marker == 0xC2;
        self.lowest = vec![[None; 64]; frame.components.len()];
        self.filled = vec![Vec::new(); frame.components.len()];
        self.frame = Some(frame);
    }

    fn tables(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&place, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let symbols = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(symbols)?;
            let tables = if place >> 4 == 0 {
                &mut self.dc
            } else {
                &mut self.ac
            };
            *tables.get_mut(usize::from(place & 15))? = Some(HuffmanTable::new(counts, symbols)?);
            segment = rest;
        }
        Some(())
    }

    fn quantization(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&place, rest)) = segment.split_first() {
            let is_wide = place >> 4 != 0;
            let (table, rest) = rest.split_at_checked(if is_wide { 128 } else { 64 })?;
            let step = match is_wide {
                true => word(table) as u16,
                false => u16::from(table[0]),
            };
            *self.steps.get_mut(usize::from(place & 15))? = Some(step);
            segment = rest;
        }
        Some(())
    }

    /// The scan that a header announces; `None` if this check cannot read it.
    fn begin(&mut self, segment: &[u8]) -> Result<Option<Scan>, JpegDamage> {
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(JpegDamage::TooManyScans { limit: MAX_SCANS });
        }
        if self.frame.is_none() {
            return Err(JpegDamage::BadHeader);
        }
        let frame = self.frame.as_ref().filter(|_| self.is_known);
        let Some(frame) = frame else {
            return Ok(None);
        };
        let scan = Scan::parse(segment, frame, self.is_progressive);
        let mut scan = scan.ok_or(JpegDamage::BadHeader)?;
        for part in &mut scan.parts {
            let table = usize::from(frame.components[part.component].quantization);
            if let Some(&Some(step @ 1..)) = self.steps.get(table) {
                part.most = (MOST / i32::from(step) + 1) >> scan.low;
            }
            let lowest = &mut self.lowest[part.component][scan.first..=scan.last];
            // A later scan adds one bit to what an earlier one has read.
            let is_next = |seen: &Option<u8>| *seen == Some(scan.high) && scan.low + 1 == scan.high;
            if scan.high > 0 && !lowest.iter().all(is_next) {
                return Err(JpegDamage::MissingScan {
                    component: part.component + 1,
                });
            }
            lowest.fill(Some(scan.low));
            if scan.first > 0 {
                self.filled[part.component].resize(scan.units, 0);
            }
        }
        let has_tables = |part: &ScanPart| {
            let dc = scan.first > 0 || scan.high > 0 || self.dc[part.dc].is_some();
            let ac = scan.last == 0 || self.ac[part.ac].is_some();
            dc && ac
        };
        Ok(scan.parts.iter().all(has_tables).then_some(scan))
    }

    fn finished(&self) -> Result<(), JpegDamage> {
        if !self.is_known {
            return Ok(());
        }
        for (component, lowest) in (1..).zip(&self.lowest) {
            let is_whole = |bit: &Option<u8>| bit.is_none_or(|bit| bit == 0);
            if lowest[0].is_none() || !lowest.iter().all(is_whole) {
                return Err(JpegDamage::MissingScan { component });
            }
        }
        Ok(())
    }
}

/// One pass over the picture.
struct Scan {
    parts: Vec<ScanPart>,
    /// Blocks, or groups of blocks of several components, in the order of the file.
    units: usize,
    /// The coefficients, in zigzag order.
    first: usize,
    last: usize,
    /// The lowest bit that earlier scans read, plus 1; 0 for a first scan.
    high: u8,
    /// The lowest bit of this scan.
    low: u8,
    is_progressive: bool,
}

/// What a scan has of a component.
struct ScanPart {
    component: usize,
    dc: usize,
    ac: usize,
    /// Blocks in each unit.
    blocks: usize,
    /// The largest mean, in the units of the scan.
    most: i32,
}

enum Stop {
    AtEnd,
    NoCode,
}

impl From<AtEnd> for Stop {
    fn from(AtEnd: AtEnd) -> Self {
        Self::AtEnd
    }
}

impl Scan {
    fn parse(segment: &[u8], frame: &Frame, is_progressive: bool) -> Option<Self> {
        let (&count, rest) = segment.split_first()?;
        let (named, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let &[first, last, bits, ..] = rest else {
            return None;
        };
        if count > 4 {
            return None;
        }
        let is_single = count == 1;
        let mut parts = Vec::new();
        for pair in named.chunks_exact(2) {
            let component = frame
                .components
                .iter()
                .position(|part| part.id == pair[0])?;
            let [across, down] = frame.components[component].sampling;
            let (dc, ac) = (usize::from(pair[1] >> 4), usize::from(pair[1] & 15));
            if dc > 3 || ac > 3 {
                return None;
            }
            let blocks = if is_single { 1 } else { across * down };
            parts.push(ScanPart {
                component,
                dc,
                ac,
                blocks,
                most: i32::MAX,
            });
        }
        let most = |axis: usize| {
            frame
                .components
                .iter()
                .map(|part| part.sampling[axis])
                .max()
        };
        let most = [most(0)?, most(1)?];
        let sides = [frame.size.width, frame.size.height];
        let units = match &parts[..] {
            [] => return None,
            [one] => {
                let sampling = frame.components[one.component].sampling;
                let blocks = |axis: usize| {
                    (sides[axis] * sampling[axis])
                        .div_ceil(most[axis])
                        .div_ceil(8)
                };
                blocks(0) * blocks(1)
            }
            _ => sides[0].div_ceil(8 * most[0]) * sides[1].div_ceil(8 * most[1]),
        };
        let (first, last) = match is_progressive {
            true => (usize::from(first), usize::from(last)),
            false => (0, 63),
        };
        let (high, low) = if is_progressive {
            (bits >> 4, bits & 15)
        } else {
            (0, 0)
        };
        let is_possible = match is_progressive {
            // Scans of a progressive file have the first coefficients only, or others of one component.
            true => {
                (first == 0 && last == 0) || (first > 0 && first <= last && last < 64 && is_single)
            }
            false => true,
        };
        is_possible.then_some(Self {
            parts,
            units,
            first,
            last,
            high,
            low,
            is_progressive,
        })
    }

    fn read(&self, state: &mut State, segments: &mut Segments<'_>) -> Result<(), Flaw> {
        let expected = self.units;
        let mut data = Vec::new();
        let mut done = 0;
        for restart in (0xD0..=0xD7).cycle() {
            let marker = segments.entropy_coded(&mut data).ok_or(Flaw::NoEnd)?;
            let mut bits = Bits::new(&data);
            let end = match state.restart {
                0 => expected,
                units => expected.min(done + units),
            };
            self.units(state, &mut bits, &mut done, end)
                .map_err(|stop| match stop {
                    Stop::AtEnd => JpegDamage::EndsEarly {
                        found: done,
                        expected,
                    },
                    Stop::NoCode => JpegDamage::BadBlock {
                        block: done + 1,
                        expected,
                    },
                })?;
            // Zeros and ones fill some files up.
            let rest = bits.rest();
            let fills = rest.iter().all(|&byte| byte == 0) || rest.iter().all(|&byte| byte == 0xFF);
            if rest.len() > SPARE && !fills {
                return Err(JpegDamage::LeftOver {
                    bytes: rest.len(),
                    block: done,
                    expected,
                }
                .into());
            }
            if done == expected {
                // Some writers end the last interval with a restart too.
                return match marker {
                    0xD0..=0xD7 => pass_over(segments),
                    _ => Ok(()),
                };
            }
            if marker != restart {
                return Err(JpegDamage::EndsEarly {
                    found: done,
                    expected,
                }
                .into());
            }
            segments.at += 2;
        }
        unreachable!("restarts cycle for ever")
    }

    /// Reads the units up to `end`; counts them in `done`.
    fn units(
        &self,
        state: &mut State,
        bits: &mut Bits<'_>,
        done: &mut usize,
        end: usize,
    ) -> Result<(), Stop> {
        let State { dc, ac, filled, .. } = state;
        let filled = &mut filled[self.parts[0].component];
        match (self.is_progressive, self.first, self.high) {
            (false, ..) => self.sequential(dc, ac, bits, done, end),
            (true, 0, 0) => self.first_dc(dc, bits, done, end),
            (true, 0, _) => self.later_dc(bits, done, end),
            (true, _, 0) => self.first_ac(table(ac, self.parts[0].ac)?, filled, bits, done, end),
            (true, ..) => self.later_ac(table(ac, self.parts[0].ac)?, filled, bits, done, end),
        }
    }

    fn sequential(
        &self,
        dc: &Tables,
        ac: &Tables,
        bits: &mut Bits<'_>,
        done: &mut usize,
        end: usize,
    ) -> Result<(), Stop> {
        let mut means = [0; 4];
        while *done < end {
            for (part, mean) in self.parts.iter().zip(&mut means) {
                let (dc, ac) = (table(dc, part.dc)?, table(ac, part.ac)?);
                for _ in 0..part.blocks {
                    part.next_mean(mean, dc, bits)?;
                    let mut at = 1;
                    while at < 64 {
                        let (run, size) = run_and_size(ac, bits)?;
                        match (run, size) {
                            (15, 0) => at += 16,
                            (_, 0) => break,
                            _ => {
                                at += run + 1;
                                bits.skip(size)?;
                            }
                        }
                        if at > 64 {
                            return Err(Stop::NoCode);
                        }
                    }
                }
            }
            *done += 1;
        }
        Ok(())
    }

    fn first_dc(
        &self,
        dc: &Tables,
        bits: &mut Bits<'_>,
        done: &mut usize,
        end: usize,
    ) -> Result<(), Stop> {
        let mut means = [0; 4];
        while *done < end {
            for (part, mean) in self.parts.iter().zip(&mut means) {
                let dc = table(dc, part.dc)?;
                for _ in 0..part.blocks {
                    part.next_mean(mean, dc, bits)?;
                }
            }
            *done += 1;
        }
        Ok(())
    }

    /// One bit a block.
    fn later_dc(&self, bits: &mut Bits<'_>, done: &mut usize, end: usize) -> Result<(), Stop> {
        let blocks: usize = self.parts.iter().map(|part| part.blocks).sum();
        while *done < end {
            bits.skip(blocks)?;
            *done += 1;
        }
        Ok(())
    }

    fn first_ac(
        &self,
        ac: &HuffmanTable,
        filled: &mut [u64],
        bits: &mut Bits<'_>,
        done: &mut usize,
        end: usize,
    ) -> Result<(), Stop> {
        while *done < end {
            let mut at = self.first;
            while at <= self.last {
                let (run, size) = run_and_size(ac, bits)?;
                match (run, size) {
                    (15, 0) => at += 16,
                    // This block and as many others have no more.
                    (_, 0) => {
                        let others = (1 << run) - 1 + bits.number(run)?;
                        *done = end.min(*done + others);
                        break;
                    }
                    _ => {
                        at += run;
                        if at > self.last {
                            return Err(Stop::NoCode);
                        }
                        filled[*done] |= 1 << at;
                        bits.skip(size)?;
                        at += 1;
                    }
                }
            }
            *done += 1;
        }
        *done = end;
        Ok(())
    }

    /// One more bit of each coefficient that is there, and coefficients that begin with this bit.
    fn later_ac(
        &self,
        ac: &HuffmanTable,
        filled: &mut [u64],
        bits: &mut Bits<'_>,
        done: &mut usize,
        end: usize,
    ) -> Result<(), Stop> {
        let from = |at: usize| (u64::MAX << at) & (u64::MAX >> (63 - self.last));
        // Blocks without new coefficients.
        let mut empty = 0;
        while *done < end {
            let block = &mut filled[*done];
            let mut at = self.first;
            while empty == 0 && at <= self.last {
                let (run, size) = run_and_size(ac, bits)?;
                match (run, size) {
                    (0..15, 0) => empty = (1 << run) + bits.number(run)?,
                    (_, 0 | 1) => {
                        bits.skip(size)?;
                        // The run counts coefficients that are still 0; the others have their bit on the way.
                        let mut zeros = run;
                        while at <= self.last {
                            if *block >> at & 1 == 1 {
                                bits.skip(1)?;
                            } else if zeros == 0 {
                                break;
                            } else {
                                zeros -= 1;
                            }
                            at += 1;
                        }
                        if size == 1 {
                            if at > self.last {
                                return Err(Stop::NoCode);
                            }
                            *block |= 1 << at;
                        }
                        at += 1;
                    }
                    _ => return Err(Stop::NoCode),
                }
            }
            if empty > 0 {
                if at <= self.last {
                    bits.skip((*block & from(at)).count_ones() as usize)?;
                }
                empty -= 1;
            }
            *done += 1;
        }
        Ok(())
    }
}

type Tables = [Option<HuffmanTable>; 4];

fn table(tables: &Tables, place: usize) -> Result<&HuffmanTable, Stop> {
    tables[place].as_ref().ok_or(Stop::NoCode)
}

impl ScanPart {
    /// Reads the difference of a block's mean to that of the block before.
    fn next_mean(
        &self,
        mean: &mut i32,
        dc: &HuffmanTable,
        bits: &mut Bits<'_>,
    ) -> Result<(), Stop> {
        let size = match dc.symbol(bits)? {
            Some(0) => return Ok(()),
            Some(size @ 1..=15) => usize::from(size),
            _ => return Err(Stop::NoCode),
        };
        let number = bits.number(size)? as i32;
        // Numbers whose first bit is 0 are negative.
        let is_negative = number >> (size - 1) == 0;
        let difference = number - if is_negative { (1 << size) - 1 } else { 0 };
        *mean = mean.saturating_add(difference);
        if !(-self.most..=self.most).contains(mean) {
            return Err(Stop::NoCode);
        }
        Ok(())
    }
}

/// How many zeros go before a value, and its bits.
fn run_and_size(ac: &HuffmanTable, bits: &mut Bits<'_>) -> Result<(usize, usize), Stop> {
    let symbol = ac.symbol(bits)?.ok_or(Stop::NoCode)?;
    Ok((usize::from(symbol >> 4), usize::from(symbol & 15)))
}
