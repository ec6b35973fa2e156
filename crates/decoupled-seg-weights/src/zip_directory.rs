use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Why an archive is refused.
#[derive(Debug)]
pub(crate) enum ZipProblem {
    Io(io::Error),
    Damaged(String),
    Unsupported(String),
    TooLarge { what: String, declared: u64 },
}

impl From<io::Error> for ZipProblem {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged("it ends too early".to_string()),
            _ => Self::Io(error),
        }
    }
}

type Result<T> = std::result::Result<T, ZipProblem>;

const END_OF_DIRECTORY: [u8; 4] = *b"PK\x05\x06";
const END_OF_DIRECTORY_SIZE: usize = 22;
const ZIP64_LOCATOR: [u8; 4] = *b"PK\x06\x07";
const ZIP64_LOCATOR_SIZE: u64 = 20;
const ZIP64_END_OF_DIRECTORY: [u8; 4] = *b"PK\x06\x06";
const ZIP64_END_OF_DIRECTORY_SIZE: usize = 56;
const DIRECTORY_RECORD: [u8; 4] = *b"PK\x01\x02";
const DIRECTORY_RECORD_SIZE: usize = 46;
const LOCAL_RECORD: [u8; 4] = *b"PK\x03\x04";
const LOCAL_RECORD_SIZE: usize = 30;
/// Id of the extra field that holds numbers too large for 32 bits.
const ZIP64_EXTRA: u16 = 1;
/// A directory with more entries than the file has room for is a forgery: PyTorch aligns every tensor to 64 bytes, so
/// each entry takes at least this many.
const MIN_BYTES_PER_ENTRY: u64 = 128;

/// Message for a program that `torch.jit.save` wrote.
const TORCHSCRIPT: &str = "a TorchScript program, which holds code; in Python: `torch.save(torch.jit.load(\"in.pt\").state_dict(), \"out.pth\")`";

/// Where the pickle of a checkpoint lies in its archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PickleRange {
    pub(crate) start: u64,
    pub(crate) length: u64,
    /// CRC-32 of its bytes; 0 if none was computed.
    pub(crate) checksum: u32,
    /// Where the directory has it.
    pub(crate) checksum_at: u64,
}

/// Checks the directory of a PyTorch archive before anything is unpacked, and finds `data.pkl`.
///
/// `torch.save` stores its entries uncompressed. Only such archives pass. Every entry must lie inside the file, and all
/// entries together must be no larger than the file, so no declared size can ask for more memory than the file has
/// bytes.
pub(crate) fn find_pickle(file: &mut File, length: u64) -> Result<PickleRange> {
    let directory = Directory::locate(file, length)?;
    let most = 64 + length / MIN_BYTES_PER_ENTRY;
    if directory.entries > most {
        return Err(ZipProblem::TooLarge {
            what: format!("a directory of {} entries", directory.entries),
            declared: directory.entries.saturating_mul(MIN_BYTES_PER_ENTRY),
        });
    }
    let records = directory.read(file)?;

    let mut rest = records.as_slice();
    let mut pickle: Option<(usize, Entry)> = None;
    let mut total = 0_u64;
    let mut first_name = None;
    let mut refused = None;
    for _ in 0..directory.entries {
        let at = directory.start + (records.len() - rest.len()) as u64;
        let (name, entry, behind) = parse_record(rest, at)?;
        rest = behind;
        if name.ends_with("/constants.pkl") || name.contains("/code/__torch__") {
            return Err(ZipProblem::Unsupported(TORCHSCRIPT.to_string()));
        }
        first_name.get_or_insert_with(|| name.to_string());
        // Told only of a checkpoint: archives of other things may be compressed.
        if let Err(problem) = entry.check(name, directory.start) {
            refused.get_or_insert(problem);
        }
        total = total.saturating_add(entry.size);
        let root = name.strip_suffix("data.pkl").unwrap_or("?");
        if root.is_empty() || root.ends_with('/') {
            // Of several, burn-store takes the one closest to the top.
            if pickle.as_ref().is_none_or(|(best, _)| root.len() < *best) {
                pickle = Some((root.len(), entry));
            }
        }
    }
    let Some((_, pickle)) = pickle else {
        return Err(ZipProblem::Unsupported(other_archive(first_name)));
    };
    if let Some(problem) = refused {
        return Err(problem);
    }
    if !rest.is_empty() {
        return Err(damaged("its directory is longer than its entries"));
    }
    if total > length {
        return Err(ZipProblem::TooLarge {
            what: "its entries, which overlap,".to_string(),
            declared: total,
        });
    }
    pickle.locate(file, directory.start)
}

/// What an archive is that holds no pickle of a checkpoint.
fn other_archive(first_name: Option<String>) -> String {
    match first_name {
        Some(name) if name.ends_with(".npy") => {
            "a NumPy archive (.npz); save its arrays as safetensors".to_string()
        }
        Some(name) => {
            let name: String = name.chars().take(60).collect();
            format!("a zip archive of other files, such as `{name}`; unpack it")
        }
        None => "an empty zip archive".to_string(),
    }
}

/// The directory at the end of an archive.
struct Directory {
    start: u64,
    size: u64,
    entries: u64,
}

impl Directory {
    fn locate(file: &mut File, length: u64) -> Result<Self> {
        // The record may be followed by a comment of up to 65535 bytes.
        let tail_length = length.min(END_OF_DIRECTORY_SIZE as u64 + u64::from(u16::MAX));
        let tail_start = length - tail_length;
        let tail = read_at(file, tail_start, tail_length)?;
        let position = (0..=tail.len().saturating_sub(END_OF_DIRECTORY_SIZE))
            .rev()
            .find(|&at| tail[at..].starts_with(&END_OF_DIRECTORY))
            .ok_or_else(|| damaged("the directory at its end is missing, so it was cut short"))?;
        let record = &tail[position..];
        let mut directory = Self {
            start: u64::from(u32_at(record, 16)?),
            size: u64::from(u32_at(record, 12)?),
            entries: u64::from(u16_at(record, 10)?),
        };
        let mut end = tail_start + position as u64;

        if let Some(zip64) = zip64_end(file, end)? {
            let record = read_at(file, zip64, ZIP64_END_OF_DIRECTORY_SIZE as u64)?;
            if !record.starts_with(&ZIP64_END_OF_DIRECTORY) {
                return Err(damaged("its zip64 directory is not where it says"));
            }
            directory = Self {
                start: u64_at(&record, 48)?,
                size: u64_at(&record, 40)?,
                entries: u64_at(&record, 32)?,
            };
            end = zip64;
        }
        if directory.start.checked_add(directory.size) != Some(end) {
            return Err(damaged("its directory is not where it says"));
        }
        Ok(directory)
    }

    fn read(&self, file: &mut File) -> Result<Vec<u8>> {
        read_at(file, self.start, self.size)
    }
}

/// Offset of the zip64 record that replaces the one at `end`, if there is one.
fn zip64_end(file: &mut File, end: u64) -> Result<Option<u64>> {
    let Some(locator) = end.checked_sub(ZIP64_LOCATOR_SIZE) else {
        return Ok(None);
    };
    let record = read_at(file, locator, ZIP64_LOCATOR_SIZE)?;
    if !record.starts_with(&ZIP64_LOCATOR) {
        return Ok(None);
    }
    let offset = u64_at(&record, 8)?;
    let fits = offset
        .checked_add(ZIP64_END_OF_DIRECTORY_SIZE as u64)
        .is_some_and(|behind| behind <= locator);
    if !fits {
        return Err(damaged("its zip64 directory lies outside"));
    }
    Ok(Some(offset))
}

/// One entry, as the directory describes it.
struct Entry {
    method: u16,
    flags: u16,
    stored: u64,
    size: u64,
    start: u64,
    checksum: u32,
    checksum_at: u64,
}

/// Reads the first record. `at` is its place in the file.
fn parse_record(bytes: &[u8], at: u64) -> Result<(&str, Entry, &[u8])> {
    if !bytes.starts_with(&DIRECTORY_RECORD) {
        return Err(damaged("its directory has fewer entries than it says"));
    }
    let mut entry = Entry {
        flags: u16_at(bytes, 8)?,
        method: u16_at(bytes, 10)?,
        stored: u64::from(u32_at(bytes, 20)?),
        size: u64::from(u32_at(bytes, 24)?),
        start: u64::from(u32_at(bytes, 42)?),
        checksum: u32_at(bytes, 16)?,
        checksum_at: at + 16,
    };
    let name_end = DIRECTORY_RECORD_SIZE + usize::from(u16_at(bytes, 28)?);
    let extra_end = name_end + usize::from(u16_at(bytes, 30)?);
    let record_end = extra_end + usize::from(u16_at(bytes, 32)?);
    let name = part(bytes, DIRECTORY_RECORD_SIZE, name_end)?;
    let name = std::str::from_utf8(name).map_err(|_| damaged("an entry's name is not UTF-8"))?;
    let mut extra = part(bytes, name_end, extra_end)?;
    let behind = part(bytes, record_end, bytes.len())?;

    while extra.len() >= 4 {
        let id = u16_at(extra, 0)?;
        let end = 4 + usize::from(u16_at(extra, 2)?);
        let mut field = part(extra, 4, end)?;
        extra = &extra[end..];
        if id == ZIP64_EXTRA {
            // The extra field holds only the numbers that did not fit, in this order.
            for number in [&mut entry.size, &mut entry.stored, &mut entry.start] {
                if *number == u64::from(u32::MAX) {
                    *number = u64_at(field, 0)?;
                    field = &field[8..];
                }
            }
        }
    }
    Ok((name, entry, behind))
}

impl Entry {
    /// Refuses entries that `torch.save` does not write.
    fn check(&self, name: &str, directory_start: u64) -> Result<()> {
        if self.flags & 1 != 0 {
            return Err(ZipProblem::Unsupported(format!("`{name}` is encrypted")));
        }
        if self.method != 0 {
            return Err(ZipProblem::Unsupported(format!(
                "`{name}` is compressed, which PyTorch never does; save it again with torch.save"
            )));
        }
        if self.stored != self.size {
            return Err(damaged(&format!(
                "`{name}` has two sizes, {} and {} bytes",
                self.stored, self.size
            )));
        }
        let end = self
            .start
            .checked_add(LOCAL_RECORD_SIZE as u64)
            .and_then(|start| start.checked_add(self.size));
        if end.is_none_or(|end| end > directory_start) {
            return Err(ZipProblem::TooLarge {
                what: format!("`{name}`"),
                declared: self.size,
            });
        }
        Ok(())
    }

    /// Where the bytes of the entry begin, behind its local record.
    fn locate(&self, file: &mut File, directory_start: u64) -> Result<PickleRange> {
        let record = read_at(file, self.start, LOCAL_RECORD_SIZE as u64)?;
        if !record.starts_with(&LOCAL_RECORD) {
            return Err(damaged("`data.pkl` is not where its directory says"));
        }
        let start = self.start
            + LOCAL_RECORD_SIZE as u64
            + u64::from(u16_at(&record, 26)?)
            + u64::from(u16_at(&record, 28)?);
        if start + self.size > directory_start {
            return Err(damaged("`data.pkl` reaches into the directory"));
        }
        Ok(PickleRange {
            start,
            length: self.size,
            checksum: self.checksum,
            checksum_at: self.checksum_at,
        })
    }
}

fn damaged(reason: &str) -> ZipProblem {
    ZipProblem::Damaged(reason.to_string())
}

/// Reads `length` bytes; the caller has checked them against the length of the file.
fn read_at(file: &mut File, start: u64, length: u64) -> Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.by_ref().take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != length {
        return Err(damaged("it ends too early"));
    }
    Ok(bytes)
}

fn part(bytes: &[u8], start: usize, end: usize) -> Result<&[u8]> {
    bytes
        .get(start..end)
        .ok_or_else(|| damaged("its directory ends within an entry"))
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16> {
    let bytes = part(bytes, at, at + 2)?;
    Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32> {
    let bytes = part(bytes, at, at + 4)?;
    Ok(u32::from_le_bytes(
        bytes.try_into().expect("part gives 4 bytes"),
    ))
}

fn u64_at(bytes: &[u8], at: usize) -> Result<u64> {
    let bytes = part(bytes, at, at + 8)?;
    Ok(u64::from_le_bytes(
        bytes.try_into().expect("part gives 8 bytes"),
    ))
}
