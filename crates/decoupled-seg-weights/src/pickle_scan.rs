use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use crate::own_containers::{Call, ClassName, Patch, without_items, without_pair};
use crate::python_names::{is_built, runs_programs};

/// Why a pickle is refused.
#[derive(Debug)]
pub(crate) enum PickleProblem {
    Io(io::Error),
    Damaged(String),
    /// It asks for this Python name, which runs programs.
    Unsafe(String),
    /// Reading it would take this many bytes.
    TooLarge(u64),
}

impl From<io::Error> for PickleProblem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("it ends within a pickle".to_string()),
            _ => Self::Io(error),
        }
    }
}

type Result<T> = std::result::Result<T, PickleProblem>;

/// Bytes that burn-store's reader needs for one value: its object, its place on the stack or in a container.
const NODE: u64 = 112;
/// Longest text that is kept to resolve a name. Python's own names are shorter.
const LONGEST_NAME: usize = 128;

/// Walks through one pickle, including its `STOP`, without building or calling anything. Returns what has to be read in
/// place of its bytes (see [`Patch`]).
///
/// The walk follows the opcodes of the pickle machine on a stack of sizes. So it meets every name that the pickle asks
/// Python for, and refuses the names that run programs. It also adds up the memory that reading the pickle would take,
/// copies through the memo included, and refuses a pickle that would hold more than `budget` bytes at any time.
pub(crate) fn scan<R: BufRead>(reader: &mut Counted<R>, budget: u64) -> Result<Vec<Patch>> {
    Machine {
        reader,
        budget,
        in_use: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        before: [(0, 0); 2],
        patches: BTreeMap::new(),
    }
    .run()
}

/// A reader that knows how far it is.
pub(crate) struct Counted<R> {
    reader: R,
    at: u64,
}

impl<R> Counted<R> {
    /// A reader that stands at a place of a file.
    pub(crate) fn new(reader: R, at: u64) -> Self {
        Self { reader, at }
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
        self.at += amount as u64;
    }
}

/// A value: its size in bytes, whether a tensor is in it, and what else has to be known.
#[derive(Clone)]
struct Slot {
    weight: u64,
    has_tensors: bool,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Other,
    Text(Rc<str>),
    /// A number or a long text, by which a dictionary may be read too.
    Key,
    /// A class, and where it is named.
    Class(ClassName),
    /// A class that burn-store knows.
    KnownClass,
    /// What a class was called for, and how to read it as a plain container.
    Object(Call),
}

impl Kind {
    /// Whether burn-store reads a dictionary with such a key.
    fn is_key(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Key)
    }
}

/// Several values together.
#[derive(Clone, Copy, Default)]
struct Sum {
    weight: u64,
    has_tensors: bool,
}

impl Sum {
    fn and(self, slot: &Slot) -> Self {
        Self {
            weight: self.weight.saturating_add(slot.weight),
            has_tensors: self.has_tensors || slot.has_tensors,
        }
    }
}

/// Keys of a dictionary that burn-store does not read.
#[derive(Default)]
struct ForeignKeys {
    /// Classes, and what is read in place of their names.
    classes: Vec<Patch>,
    others: bool,
}

struct Machine<'a, R> {
    reader: &'a mut Counted<R>,
    budget: u64,
    in_use: u64,
    stack: Vec<Slot>,
    marks: Vec<usize>,
    memo: HashMap<u32, Slot>,
    /// Places of the two opcodes before, and what they are.
    before: [(u64, u8); 2],
    /// By their places.
    patches: BTreeMap<u64, Patch>,
}

impl<R: BufRead> Machine<'_, R> {
    fn run(mut self) -> Result<Vec<Patch>> {
        loop {
            let at = self.reader.at;
            let opcode = self.byte()?;
            match opcode {
                b'.' => {
                    self.pop()?;
                    return Ok(self.patches.into_values().collect());
                }
                0x80 => {
                    let protocol = self.byte()?;
                    if protocol > 5 {
                        return Err(damaged(format!("pickle protocol {protocol}")));
                    }
                }
                0x95 => self.skip(8)?,
                b'(' => self.marks.push(self.stack.len()),
                b'0' => self.pop_or_mark()?,
                b'1' => {
                    self.pop_to_mark()?;
                }
                b'2' => {
                    let top = self.top()?.clone();
                    self.push(top)?;
                }
                // None, True, False and empty containers.
                b'N' | 0x88 | 0x89 | b')' | b']' | b'}' | 0x8f => self.push_node(0)?,
                // Numbers: as text, then as bytes.
                b'I' | b'L' => {
                    self.line()?;
                    self.push_key(0)?;
                }
                b'F' => {
                    self.line()?;
                    self.push_node(0)?;
                }
                b'K' => self.number(1)?,
                b'M' => self.number(2)?,
                b'J' => self.number(4)?,
                b'G' => {
                    self.skip(8)?;
                    self.push_node(0)?;
                }
                0x8a => self.sized(1)?,
                0x8b => self.sized(4)?,
                // Text, then bytes.
                b'V' => {
                    let line = self.line()?;
                    self.push_text(&line)?;
                }
                b'U' | 0x8c => self.text(1)?,
                b'T' | b'X' => self.text(4)?,
                0x8d => self.text(8)?,
                b'C' => self.sized(1)?,
                b'B' => self.sized(4)?,
                0x8e | 0x96 => self.sized(8)?,
                // Containers made of the values above the mark, or of the last few values.
                b't' | b'l' | b'd' | 0x91 => {
                    let held = self.pop_to_mark()?;
                    self.push_holding(held)?;
                }
                0x85 => self.gather(1)?,
                0x86 => self.gather(2)?,
                0x87 => self.gather(3)?,
                // Adds values to the container below them.
                b'a' => {
                    let held = self.take(1)?;
                    self.fill(opcode, held)?;
                }
                b's' => {
                    let patch = self.patch_of_pair(at)?;
                    let held = self.take(2)?;
                    self.patch(patch.filter(|_| !held.has_tensors))?;
                    self.fill(opcode, held)?;
                }
                b'e' | 0x90 => {
                    let held = self.pop_to_mark()?;
                    self.fill(opcode, held)?;
                }
                b'u' => {
                    let keys = self.keys_of_items()?;
                    let held = self.pop_to_mark()?;
                    for patch in keys.classes {
                        self.patch(Some(patch))?;
                    }
                    if keys.others && !held.has_tensors {
                        self.patch(Some(without_items(at)))?;
                    }
                    self.fill(opcode, held)?;
                }
                // The memo.
                b'p' => {
                    let index = self.index_line()?;
                    self.memoize(index)?;
                }
                b'q' => {
                    let index = u32::from(self.byte()?);
                    self.memoize(index)?;
                }
                b'r' => {
                    let index = self.u32()?;
                    self.memoize(index)?;
                }
                0x94 => {
                    let index = u32::try_from(self.memo.len())
                        .map_err(|_| damaged("its memo is full".to_string()))?;
                    self.memoize(index)?;
                }
                b'g' => {
                    let index = self.index_line()?;
                    self.recall(index)?;
                }
                b'h' => {
                    let index = u32::from(self.byte()?);
                    self.recall(index)?;
                }
                b'j' => {
                    let index = self.u32()?;
                    self.recall(index)?;
                }
                // Names that Python would import. `i` also calls at once.
                b'c' | b'i' => {
                    let module = self.line()?;
                    let name = self.line()?;
                    let kind = class(&module, &name, ClassName::line(at, self.reader.at))?;
                    let weight = (module.len() + name.len()) as u64;
                    if opcode == b'i' {
                        let held = self.pop_to_mark()?;
                        self.push_holding(Sum {
                            weight,
                            has_tensors: held.has_tensors,
                        })?;
                    } else {
                        self.push_kind(weight, kind)?;
                    }
                }
                0x93 => {
                    let name = self.pop()?;
                    let module = self.pop()?;
                    let kind = match (&module.kind, &name.kind) {
                        (Kind::Text(module), Kind::Text(name)) => {
                            class(module, name, ClassName::of_stack(at))?
                        }
                        _ => return Err(PickleProblem::Unsafe("a computed name".to_string())),
                    };
                    self.push_kind(module.weight.saturating_add(name.weight), kind)?;
                }
                // Calls a name that was allowed, or the result of such a call.
                b'R' | 0x81 => self.call(at)?,
                b'b' => self.gather(2)?,
                0x92 => self.gather(3)?,
                // References to tensors outside the pickle.
                b'P' => {
                    let weight = self.line()?.len() as u64;
                    self.push_holding(Sum {
                        weight,
                        has_tensors: true,
                    })?;
                }
                b'Q' => {
                    let Sum { weight, .. } = self.take(1)?;
                    self.push_holding(Sum {
                        weight,
                        has_tensors: true,
                    })?;
                }
                other => {
                    return Err(damaged(format!("byte 0x{other:02x} is no known opcode")));
                }
            }
            self.before = [self.before[1], (at, opcode)];
        }
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    fn u32(&mut self) -> Result<u32> {
        let mut bytes = [0; 4];
        self.reader.read_exact(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// A length of 1, 4 or 8 bytes.
    fn length(&mut self, width: usize) -> Result<u64> {
        let mut bytes = [0; 8];
        self.reader.read_exact(&mut bytes[..width])?;
        let length = u64::from_le_bytes(bytes);
        if length > self.budget {
            return Err(PickleProblem::TooLarge(length));
        }
        Ok(length)
    }

    /// Skips `length` bytes; fails if the pickle ends before.
    fn skip(&mut self, length: u64) -> Result<()> {
        let mut left = length;
        while left > 0 {
            let available = self.reader.fill_buf()?.len();
            if available == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let taken = usize::try_from(left).map_or(available, |left| left.min(available));
            self.reader.consume(taken);
            left -= taken as u64;
        }
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        self.reader
            .by_ref()
            .take(self.budget)
            .read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(damaged("a line of its pickle does not end".to_string()));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line)
            .map_err(|_| damaged("a line of its pickle is not UTF-8".to_string()))
    }

    fn index_line(&mut self) -> Result<u32> {
        let line = self.line()?;
        line.parse()
            .map_err(|_| damaged(format!("memo index `{line}`")))
    }

    fn number(&mut self, width: u64) -> Result<()> {
        self.skip(width)?;
        self.push_key(0)
    }

    /// Skips a value of bytes that stands behind its length.
    fn sized(&mut self, width: usize) -> Result<()> {
        let length = self.length(width)?;
        self.skip(length)?;
        self.push_key(length)
    }

    /// Reads a text that stands behind its length.
    fn text(&mut self, width: usize) -> Result<()> {
        let length = self.length(width)?;
        if length > LONGEST_NAME as u64 {
            self.skip(length)?;
            return self.push_key(length);
        }
        let mut bytes = [0; LONGEST_NAME];
        let bytes = &mut bytes[..length as usize];
        self.reader.read_exact(bytes)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.push_text(text),
            // A Python 2 `str` may hold any bytes; it is no name.
            Err(_) => self.push_key(length),
        }
    }

    fn push_text(&mut self, text: &str) -> Result<()> {
        let kind = match text.len() <= LONGEST_NAME {
            true => Kind::Text(Rc::from(text)),
            false => Kind::Key,
        };
        self.push_kind(text.len() as u64, kind)
    }

    fn push_key(&mut self, payload: u64) -> Result<()> {
        self.push_kind(payload, Kind::Key)
    }

    fn push_node(&mut self, payload: u64) -> Result<()> {
        self.push_kind(payload, Kind::Other)
    }

    fn push_kind(&mut self, payload: u64, kind: Kind) -> Result<()> {
        self.push(Slot {
            weight: NODE.saturating_add(payload),
            has_tensors: false,
            kind,
        })
    }

    /// A value that holds others.
    fn push_holding(&mut self, held: Sum) -> Result<()> {
        self.push(Slot {
            weight: NODE.saturating_add(held.weight),
            has_tensors: held.has_tensors,
            kind: Kind::Other,
        })
    }

    fn push(&mut self, slot: Slot) -> Result<()> {
        self.charge(slot.weight)?;
        self.stack.push(slot);
        Ok(())
    }

    fn charge(&mut self, weight: u64) -> Result<()> {
        self.in_use = self.in_use.saturating_add(weight);
        if self.in_use > self.budget {
            return Err(PickleProblem::TooLarge(self.in_use));
        }
        Ok(())
    }

    /// Whether a mark lies on top of the stack.
    fn mark_on_top(&self) -> bool {
        self.marks.last() == Some(&self.stack.len())
    }

    fn top(&mut self) -> Result<&mut Slot> {
        if self.mark_on_top() {
            return Err(underflow());
        }
        self.stack.last_mut().ok_or_else(underflow)
    }

    fn pop(&mut self) -> Result<Slot> {
        self.top()?;
        let slot = self.stack.pop().ok_or_else(underflow)?;
        self.in_use = self.in_use.saturating_sub(slot.weight);
        Ok(slot)
    }

    fn pop_or_mark(&mut self) -> Result<()> {
        if self.mark_on_top() {
            self.marks.pop();
        } else {
            self.pop()?;
        }
        Ok(())
    }

    /// Removes the values above the last mark.
    fn pop_to_mark(&mut self) -> Result<Sum> {
        let mark = self.marks.pop().ok_or_else(underflow)?;
        let held = self
            .stack
            .drain(mark..)
            .fold(Sum::default(), |sum, slot| sum.and(&slot));
        self.in_use = self.in_use.saturating_sub(held.weight);
        Ok(held)
    }

    /// Removes `count` values.
    fn take(&mut self, count: usize) -> Result<Sum> {
        let mut held = Sum::default();
        for _ in 0..count {
            held = held.and(&self.pop()?);
        }
        Ok(held)
    }

    /// Replaces the last `count` values by one value that holds them.
    fn gather(&mut self, count: usize) -> Result<()> {
        let held = self.take(count)?;
        self.push_holding(held)
    }

    /// Replaces a class and its arguments by an object. `at` is the place of the opcode.
    fn call(&mut self, at: u64) -> Result<()> {
        let arguments = self.pop()?;
        let class = self.pop()?;
        let held = Sum::default().and(&class).and(&arguments);
        let call = match class.kind {
            Kind::Class(_) if !held.has_tensors => Call::of(self.before, at),
            _ => None,
        };
        self.push_holding(held)?;
        if let Some(call) = call {
            self.top()?.kind = Kind::Object(call);
        }
        Ok(())
    }

    /// Adds values to the container on top, as `opcode` does.
    fn fill(&mut self, opcode: u8, held: Sum) -> Result<()> {
        let top = self.top()?;
        top.weight = top.weight.saturating_add(held.weight);
        top.has_tensors |= held.has_tensors;
        let patch = match top.kind {
            Kind::Object(call) => Some(call.filled_by(opcode)),
            _ => None,
        };
        self.charge(held.weight)?;
        self.patch(patch)
    }

    /// Notes what is read in place of the bytes there, if nothing is noted yet.
    fn patch(&mut self, patch: Option<Patch>) -> Result<()> {
        if let Some(patch) = patch
            && !self.patches.contains_key(&patch.at)
        {
            self.charge(NODE)?;
            self.patches.insert(patch.at, patch);
        }
        Ok(())
    }

    /// The keys of the items above the last mark that burn-store does not read.
    fn keys_of_items(&self) -> Result<ForeignKeys> {
        let mark = *self.marks.last().ok_or_else(underflow)?;
        let mut found = ForeignKeys::default();
        for key in self.stack[mark..].iter().step_by(2) {
            match &key.kind {
                kind if kind.is_key() => {}
                Kind::Class(name) => match name.as_text() {
                    Some(patch) => found.classes.push(patch),
                    None => found.others = true,
                },
                _ => found.others = true,
            }
        }
        Ok(found)
    }

    /// What is read in place of a pair, whose key burn-store does not read, and the opcode at `at` that puts it into a
    /// dictionary.
    fn patch_of_pair(&self, at: u64) -> Result<Option<Patch>> {
        let below = self.stack.len().checked_sub(2).ok_or_else(underflow)?;
        Ok(match &self.stack[below].kind {
            kind if kind.is_key() => None,
            Kind::Class(name) => name.as_text(),
            _ => without_pair(self.before[1], at),
        })
    }

    /// burn-store's memo holds a copy of the value.
    fn memoize(&mut self, index: u32) -> Result<()> {
        let slot = self.top()?.clone();
        self.charge(slot.weight)?;
        if let Some(old) = self.memo.insert(index, slot) {
            self.in_use = self.in_use.saturating_sub(old.weight);
        }
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<()> {
        let slot = self
            .memo
            .get(&index)
            .cloned()
            .ok_or_else(|| damaged(format!("memo has no index {index}")))?;
        self.push(slot)
    }
}

/// Refuses the names that run programs. All other names are accepted as mere names: nothing is imported, built or
/// called.
fn class(module: &str, name: &str, place: ClassName) -> Result<Kind> {
    if runs_programs(module, name) {
        return Err(PickleProblem::Unsafe(format!("{module}.{name}")));
    }
    Ok(match is_built(module, name) {
        true => Kind::KnownClass,
        false => Kind::Class(place),
    })
}

fn damaged(reason: String) -> PickleProblem {
    PickleProblem::Damaged(reason)
}

fn underflow() -> PickleProblem {
    damaged("its pickle takes a value that is not there".to_string())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const BUDGET: u64 = 1 << 16;

    fn problem(bytes: &[u8]) -> PickleProblem {
        scan(&mut Counted::new(bytes, 0), BUDGET).expect_err("the scan must refuse it")
    }

    #[rstest]
    // pickle.dumps({"a": 1, "b": [1.5, True, None], "c": b"xy"}), protocols 0, 2 and 4.
    #[case(b"(dp0\nVa\np1\nI1\nsVb\np2\n(lp3\nF1.5\naI01\naNasVc\np4\nVxy\np5\ns.")]
    #[case(b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01K\x01X\x01\x00\x00\x00bq\x02]q\x03(G?\xf8\x00\x00\x00\x00\x00\x00\x88Neu.")]
    #[case(b"\x80\x04\x95\x24\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01a\x94K\x01\x8c\x01b\x94]\x94(G?\xf8\x00\x00\x00\x00\x00\x00\x88Ne\x8c\x01c\x94C\x02xy\x94u.")]
    fn plain_values_pass_in_every_protocol(#[case] bytes: &[u8]) {
        scan(&mut Counted::new(bytes, 0), BUDGET).expect("nothing but plain values");
    }

    #[test]
    fn the_scan_stops_behind_the_pickle() {
        let mut reader = Counted::new(&b"\x80\x02K\x01.rest"[..], 3);
        scan(&mut reader, BUDGET).expect("a number");
        assert_eq!((reader.reader, reader.at), (&b"rest"[..], 8));
    }

    #[rstest]
    #[case::global(b"cos\nsystem\n(Vecho\ntR.", "os.system")]
    #[case::inst(b"(Vecho\nios\nsystem\n.", "os.system")]
    #[case::stack_global(
        b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x8c\x04echo\x85R.",
        "posix.system"
    )]
    #[case::stack_global_from_memo(
        b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x940h\x00h\x01\x93\x8c\x04echo\x85R.",
        "posix.system"
    )]
    #[case::builtin(b"c__builtin__\neval\n(V1\ntR.", "__builtin__.eval")]
    #[case::attribute(b"ctorch\nload\n(V1\ntR.", "torch.load")]
    #[case::part_of_a_package(b"cos.path\nexists\n(V1\ntR.", "os.path.exists")]
    #[case::computed(b"\x80\x04K\x01\x8c\x06system\x93.", "a computed name")]
    fn names_that_run_programs_are_refused(#[case] bytes: &[u8], #[case] expected: &str) {
        match problem(bytes) {
            PickleProblem::Unsafe(global) => assert_eq!(global, expected),
            other => panic!("expected a refused name, got {other:?}"),
        }
    }

    #[rstest]
    #[case::settings(b"\x80\x02cargparse\nNamespace\n)\x81}X\x02\x00\x00\x00lrK\x01sb.")]
    #[case::a_path(b"\x80\x02cpathlib\nPurePosixPath\nX\x01\x00\x00\x00a\x85R.")]
    #[case::a_class_of_somebody(b"\x80\x02c__main__\nNet\n)\x81.")]
    fn other_names_stay_names(#[case] bytes: &[u8]) {
        scan(&mut Counted::new(bytes, 0), BUDGET).expect("nothing that runs programs");
    }

    #[rstest]
    #[case::nothing(b"")]
    #[case::no_stop(b"\x80\x02K\x01")]
    #[case::no_value(b"\x80\x02.")]
    #[case::no_mark(b"K\x01t.")]
    #[case::mark_in_the_way(b"K\x01(\x85.")]
    #[case::memo(b"h\x05.")]
    #[case::protocol(b"\x80\x09N.")]
    #[case::opcode(b"\xff.")]
    #[case::cut_text(b"X\x05\x00\x00\x00ab")]
    #[case::extension(b"\x82\x01.")]
    fn broken_pickles_are_damaged(#[case] bytes: &[u8]) {
        assert!(
            matches!(problem(bytes), PickleProblem::Damaged(_)),
            "{:?}",
            problem(bytes)
        );
    }

    #[rstest]
    #[case::length(b"B\xff\xff\xff\xff".to_vec())]
    #[case::long_length(b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff".to_vec())]
    #[case::many_values([b'N'; 4096].to_vec())]
    #[case::doubling({
        let mut bytes = b"K\x01".to_vec();
        bytes.extend(b"2\x86".repeat(40));
        bytes
    })]
    #[case::memo_doubling({
        let mut bytes = b"\x89q\x00".to_vec();
        bytes.extend(b"h\x00h\x00\x86q\x00".repeat(40));
        bytes
    })]
    fn what_grows_beyond_the_budget_is_refused(#[case] bytes: Vec<u8>) {
        assert!(matches!(problem(&bytes), PickleProblem::TooLarge(_)));
    }
}
