#![doc = include_str!("../README.md")]

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes one event file.
///
/// # Example
///
/// ```
/// use decoupled_seg_tensorboard::EventWriter;
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// let mut events = EventWriter::create(folder, 0)?;
/// events.scalar("loss/segmentation", 100, 0.7)?;
/// events.scalar("val/mean_iou", 100, 0.42)?;
/// events.flush()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct EventWriter<W: Write = BufWriter<File>> {
    writer: W,
}

impl EventWriter {
    /// Begins a new file in `folder`, which is made if it is not there. A run that goes on at `first_step` gets another
    /// file: TensorBoard joins them, and forgets what the earlier ones say of later steps.
    ///
    /// # Errors
    ///
    /// What the file system says.
    pub fn create(folder: &Path, first_step: u64) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let seconds = wall_time() as u64;
        // TensorBoard reads files in the order of their names; two begun in one second differ in the last number.
        for number in 0.. {
            let path = folder.join(format!("events.out.tfevents.{seconds:010}.{number}"));
            match File::create_new(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                file => return Self::new(BufWriter::new(file?), first_step),
            }
        }
        unreachable!("a second has fewer files than numbers")
    }
}

impl<W: Write> EventWriter<W> {
    /// Begins a file in `writer`; see [`create`](EventWriter::create).
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn new(writer: W, first_step: u64) -> io::Result<Self> {
        let mut events = Self { writer };
        let now = wall_time();
        events.record(&event(now, 0, FILE_VERSION, b"brain.Event:2"))?;
        if first_step > 0 {
            // SessionLog { status: START }
            events.record(&event(now, first_step, SESSION_LOG, &[0x08, 1]))?;
        }
        Ok(events)
    }

    /// Writes one value. `tag` names the curve; what stands before a `/` groups curves.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn scalar(&mut self, tag: &str, step: u64, value: f32) -> io::Result<()> {
        self.scalar_at(tag, step, value, wall_time())
    }

    /// Writes one value of another time, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn scalar_at(&mut self, tag: &str, step: u64, value: f32, seconds: f64) -> io::Result<()> {
        // Summary { value: [Value { tag, simple_value }] }
        let mut entry = Vec::new();
        bytes_field(1, tag.as_bytes(), &mut entry);
        entry.push(2 << 3 | FIXED32);
        entry.extend(value.to_le_bytes());
        let mut summary = Vec::new();
        bytes_field(1, &entry, &mut summary);
        self.record(&event(seconds, step, SUMMARY, &summary))
    }

    /// Hands everything to the file.
    ///
    /// # Errors
    ///
    /// What the writer says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    fn record(&mut self, data: &[u8]) -> io::Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        self.writer.write_all(&length)?;
        self.writer.write_all(&masked_crc(&length).to_le_bytes())?;
        self.writer.write_all(data)?;
        self.writer.write_all(&masked_crc(data).to_le_bytes())
    }
}

// Fields of `Event`; `wall_time` is 1 and `step` is 2.
const FILE_VERSION: u8 = 3;
const SUMMARY: u8 = 5;
const SESSION_LOG: u8 = 7;

// Kinds of fields.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;
const FIXED32: u8 = 5;

fn event(seconds: f64, step: u64, field: u8, content: &[u8]) -> Vec<u8> {
    let mut data = vec![1 << 3 | FIXED64];
    data.extend(seconds.to_le_bytes());
    if step > 0 {
        data.push(2 << 3 | VARINT);
        varint(step, &mut data);
    }
    bytes_field(field, content, &mut data);
    data
}

fn bytes_field(field: u8, content: &[u8], data: &mut Vec<u8>) {
    data.push(field << 3 | BYTES);
    varint(content.len() as u64, data);
    data.extend(content);
}

/// Seven bits a byte, the lowest first.
fn varint(mut number: u64, data: &mut Vec<u8>) {
    while number >= 0x80 {
        data.push(number as u8 | 0x80);
        number >>= 7;
    }
    data.push(number as u8);
}

/// TFRecord's: a checksum of data that holds checksums would be weak.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

fn wall_time() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // RFC 3720, B.4: 32 bytes of zeros.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn numbers_take_seven_bits_a_byte() {
        for (number, expected) in [
            (0, vec![0]),
            (127, vec![127]),
            (128, vec![0x80, 1]),
            (300, vec![0xac, 2]),
        ] {
            let mut data = Vec::new();
            varint(number, &mut data);
            assert_eq!(data, expected);
        }
    }

    #[test]
    fn a_scalar_byte_by_byte() {
        let mut events = EventWriter { writer: Vec::new() };
        events
            .scalar_at("a", 300, 1.0, 2.0)
            .expect("a Vec takes all");
        #[rustfmt::skip]
        let data = [
            0x09, 0, 0, 0, 0, 0, 0, 0, 0x40, // wall_time: 2.0
            0x10, 0xac, 0x02,                // step: 300
            0x2a, 10,                        // summary
            0x0a, 8,                         //   value
            0x0a, 1, b'a',                   //     tag
            0x15, 0, 0, 0x80, 0x3f,          //     simple_value: 1.0
        ];
        let file = events.writer;
        assert_eq!(file[..8], (data.len() as u64).to_le_bytes());
        assert_eq!(file[12..file.len() - 4], data);
        // From a bitwise CRC-32C in Python, over the event as Python's protobuf writes it (the same bytes).
        assert_eq!(file[8..12], LENGTH_CRC);
        assert_eq!(file[file.len() - 4..], DATA_CRC);
    }

    const LENGTH_CRC: [u8; 4] = [0xa3, 0x7f, 0x4b, 0x22];
    const DATA_CRC: [u8; 4] = [0x56, 0x7d, 0x2b, 0x88];

    #[test]
    fn each_session_has_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        for step in [0, 10, 20] {
            EventWriter::create(folder.path(), step).expect("a file");
        }
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 3);
    }
}
