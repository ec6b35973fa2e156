use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

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

/// Modules of Python whose functions run programs, load code or reach the network. The reader never calls anything, so
/// a name that is missing here does no harm. A name that is listed here shows that the file was made to attack.
const RUNS_PROGRAMS: &[&str] = &[
    "_pickle",
    "asyncio",
    "bdb",
    "cloudpickle",
    "code",
    "codeop",
    "commands",
    "ctypes",
    "dill",
    "ftplib",
    "http",
    "imp",
    "importlib",
    "joblib",
    "marshal",
    "multiprocessing",
    "nt",
    "operator",
    "os",
    "pdb",
    "pickle",
    "pip",
    "pkgutil",
    "popen2",
    "posix",
    "pty",
    "requests",
    "runpy",
    "shutil",
    "site",
    "smtplib",
    "socket",
    "subprocess",
    "sys",
    "telnetlib",
    "tempfile",
    "timeit",
    "trace",
    "types",
    "urllib",
    "webbrowser",
    "zipimport",
];

/// Functions of PyTorch and NumPy that run programs or load code.
const RUNS_PROGRAMS_BY_NAME: &[(&str, &str)] = &[
    ("numpy", "load"),
    ("torch", "compile"),
    ("torch", "load"),
    ("torch.hub", "load"),
    ("torch.jit", "load"),
    ("torch.serialization", "load"),
];

/// The built-in names of Python that stand for plain values. All others, such as `eval` and `getattr`, run code.
const PLAIN_BUILTINS: &[&str] = &[
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "object",
    "range",
    "set",
    "slice",
    "str",
    "tuple",
];

/// Bytes that burn-store's reader needs for one value: its object, its place on the stack or in a container.
const NODE: u64 = 112;
/// Longest text that is kept to resolve a name. Python's own names are shorter.
const LONGEST_NAME: usize = 128;

/// Walks through one pickle, including its `STOP`, without building or calling anything.
///
/// The walk follows the opcodes of the pickle machine on a stack of sizes. So it meets every name that the pickle asks
/// Python for, and refuses the names that run programs. It also adds up the memory that reading the pickle would take,
/// copies through the memo included, and refuses a pickle that would hold more than `budget` bytes at any time.
pub(crate) fn scan<R: BufRead>(reader: &mut R, budget: u64) -> Result<()> {
    Machine {
        reader,
        budget,
        in_use: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    }
    .run()
}

/// A value: its size in bytes, and its text if it is a short one.
#[derive(Clone)]
struct Slot {
    weight: u64,
    text: Option<Rc<str>>,
}

struct Machine<'a, R> {
    reader: &'a mut R,
    budget: u64,
    in_use: u64,
    stack: Vec<Slot>,
    marks: Vec<usize>,
    memo: HashMap<u32, Slot>,
}

impl<R: BufRead> Machine<'_, R> {
    fn run(mut self) -> Result<()> {
        loop {
            let opcode = self.byte()?;
            match opcode {
                b'.' => {
                    self.pop()?;
                    return Ok(());
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
                b'I' | b'L' | b'F' => {
                    self.line()?;
                    self.push_node(0)?;
                }
                b'K' => self.number(1)?,
                b'M' => self.number(2)?,
                b'J' => self.number(4)?,
                b'G' => self.number(8)?,
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
                    let weight = self.pop_to_mark()?;
                    self.push_node(weight)?;
                }
                0x85 => self.gather(1)?,
                0x86 => self.gather(2)?,
                0x87 => self.gather(3)?,
                // Adds values to the container below them.
                b'a' => self.put_into_container(1)?,
                b's' => self.put_into_container(2)?,
                b'e' | b'u' | 0x90 => {
                    let weight = self.pop_to_mark()?;
                    self.grow_top(weight)?;
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
                    allow(&module, &name)?;
                    if opcode == b'i' {
                        self.pop_to_mark()?;
                    }
                    self.push_node((module.len() + name.len()) as u64)?;
                }
                0x93 => {
                    let name = self.pop()?;
                    let module = self.pop()?;
                    match (&module.text, &name.text) {
                        (Some(module), Some(name)) => allow(module, name)?,
                        _ => return Err(PickleProblem::Unsafe("a computed name".to_string())),
                    }
                    self.push_node(module.weight.saturating_add(name.weight))?;
                }
                // Calls a name that was allowed, or the result of such a call.
                b'R' | 0x81 | b'b' => self.gather(2)?,
                0x92 => self.gather(3)?,
                // References to tensors outside the pickle.
                b'P' => {
                    let line = self.line()?;
                    self.push_node(line.len() as u64)?;
                }
                b'Q' => self.gather(1)?,
                other => {
                    return Err(damaged(format!("byte 0x{other:02x} is no known opcode")));
                }
            }
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
        self.push_node(0)
    }

    /// Skips a value of bytes that stands behind its length.
    fn sized(&mut self, width: usize) -> Result<()> {
        let length = self.length(width)?;
        self.skip(length)?;
        self.push_node(length)
    }

    /// Reads a text that stands behind its length.
    fn text(&mut self, width: usize) -> Result<()> {
        let length = self.length(width)?;
        if length > LONGEST_NAME as u64 {
            self.skip(length)?;
            return self.push_node(length);
        }
        let mut bytes = [0; LONGEST_NAME];
        let bytes = &mut bytes[..length as usize];
        self.reader.read_exact(bytes)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => self.push_text(text),
            // A Python 2 `str` may hold any bytes; it is no name.
            Err(_) => self.push_node(length),
        }
    }

    fn push_text(&mut self, text: &str) -> Result<()> {
        self.push(Slot {
            weight: NODE + text.len() as u64,
            text: (text.len() <= LONGEST_NAME).then(|| Rc::from(text)),
        })
    }

    fn push_node(&mut self, payload: u64) -> Result<()> {
        self.push(Slot {
            weight: NODE.saturating_add(payload),
            text: None,
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

    /// Removes the values above the last mark; returns their size in bytes.
    fn pop_to_mark(&mut self) -> Result<u64> {
        let mark = self.marks.pop().ok_or_else(underflow)?;
        let weight = self
            .stack
            .drain(mark..)
            .fold(0_u64, |sum, slot| sum.saturating_add(slot.weight));
        self.in_use = self.in_use.saturating_sub(weight);
        Ok(weight)
    }

    /// Removes `count` values; returns their size in bytes.
    fn take(&mut self, count: usize) -> Result<u64> {
        let mut weight = 0_u64;
        for _ in 0..count {
            weight = weight.saturating_add(self.pop()?.weight);
        }
        Ok(weight)
    }

    /// Replaces the last `count` values by one value that holds them.
    fn gather(&mut self, count: usize) -> Result<()> {
        let weight = self.take(count)?;
        self.push_node(weight)
    }

    fn put_into_container(&mut self, count: usize) -> Result<()> {
        let weight = self.take(count)?;
        self.grow_top(weight)
    }

    fn grow_top(&mut self, weight: u64) -> Result<()> {
        self.charge(weight)?;
        let top = self.top()?;
        top.weight = top.weight.saturating_add(weight);
        Ok(())
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
fn allow(module: &str, name: &str) -> Result<()> {
    let package = module.split('.').next().unwrap_or_default();
    let runs_programs = match module {
        "builtins" | "__builtin__" => !PLAIN_BUILTINS.contains(&name),
        _ => RUNS_PROGRAMS.contains(&package) || RUNS_PROGRAMS_BY_NAME.contains(&(module, name)),
    };
    if runs_programs {
        Err(PickleProblem::Unsafe(format!("{module}.{name}")))
    } else {
        Ok(())
    }
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
        scan(&mut &bytes[..], BUDGET).expect_err("the scan must refuse it")
    }

    #[rstest]
    // pickle.dumps({"a": 1, "b": [1.5, True, None], "c": b"xy"}), protocols 0, 2 and 4.
    #[case(b"(dp0\nVa\np1\nI1\nsVb\np2\n(lp3\nF1.5\naI01\naNasVc\np4\nVxy\np5\ns.")]
    #[case(b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01K\x01X\x01\x00\x00\x00bq\x02]q\x03(G?\xf8\x00\x00\x00\x00\x00\x00\x88Neu.")]
    #[case(b"\x80\x04\x95\x24\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01a\x94K\x01\x8c\x01b\x94]\x94(G?\xf8\x00\x00\x00\x00\x00\x00\x88Ne\x8c\x01c\x94C\x02xy\x94u.")]
    fn plain_values_pass_in_every_protocol(#[case] bytes: &[u8]) {
        scan(&mut &bytes[..], BUDGET).expect("nothing but plain values");
    }

    #[test]
    fn the_scan_stops_behind_the_pickle() {
        let mut reader: &[u8] = b"\x80\x02K\x01.rest";
        scan(&mut reader, BUDGET).expect("a number");
        assert_eq!(reader, b"rest");
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
        scan(&mut &bytes[..], BUDGET).expect("nothing that runs programs");
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
