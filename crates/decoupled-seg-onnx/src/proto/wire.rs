//! Protobuf's wire format, as much of it as ONNX takes.

/// A message as bytes: its fields, one after the other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message(Vec<u8>);

/// How a field's value is stored.
const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;
const FIXED_32: u64 = 5;

impl Message {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// An integer. Negative ones take ten bytes.
    pub(crate) fn int(mut self, field: u64, value: i64) -> Self {
        self.tag(field, VARINT);
        self.varint(value as u64);
        self
    }

    /// A list of integers, one field each.
    pub(crate) fn ints(self, field: u64, values: &[i64]) -> Self {
        values
            .iter()
            .fold(self, |message, &value| message.int(field, value))
    }

    pub(crate) fn float(mut self, field: u64, value: f32) -> Self {
        self.tag(field, FIXED_32);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(crate) fn text(mut self, field: u64, value: &str) -> Self {
        self.announce(field, value.len());
        self.0.extend(value.as_bytes());
        self
    }

    pub(crate) fn message(mut self, field: u64, value: &Message) -> Self {
        self.announce(field, value.0.len());
        self.0.extend(&value.0);
        self
    }

    /// Tag and length of a field whose `length` bytes the caller writes behind this message.
    pub(crate) fn header(mut self, field: u64, length: usize) -> Self {
        self.announce(field, length);
        self
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn announce(&mut self, field: u64, length: usize) {
        self.tag(field, LENGTH_DELIMITED);
        self.varint(length as u64);
    }

    fn tag(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of protobuf's own description of its encoding.
    #[test]
    fn fields_are_written_as_protobuf_describes() {
        assert_eq!(Message::new().int(1, 150).as_bytes(), [0x08, 0x96, 0x01]);
        assert_eq!(
            Message::new().text(2, "testing").as_bytes(),
            [0x12, 0x07, b't', b'e', b's', b't', b'i', b'n', b'g']
        );
        let inner = Message::new().int(1, 150);
        assert_eq!(
            Message::new().message(3, &inner).as_bytes(),
            [0x1a, 0x03, 0x08, 0x96, 0x01]
        );
    }

    #[test]
    fn numbers_of_every_kind() {
        let minus_two = Message::new().int(1, -2);
        assert_eq!(
            minus_two.as_bytes(),
            [0x08, 0xfe, 255, 255, 255, 255, 255, 255, 255, 255, 0x01]
        );
        assert_eq!(
            Message::new().float(2, 1.0).as_bytes(),
            [0x15, 0, 0, 0x80, 0x3f]
        );
        assert_eq!(Message::new().ints(8, &[3, 0]).as_bytes(), [64, 3, 64, 0]);
        assert_eq!(
            Message::new().header(16, 300).as_bytes(),
            [0x82, 1, 0xac, 2]
        );
    }
}
