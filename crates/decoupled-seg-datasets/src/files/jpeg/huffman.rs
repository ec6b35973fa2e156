/// The data of a scan between two markers, read bit by bit.
pub(super) struct Bits<'a> {
    /// Without stuffed zeros.
    data: &'a [u8],
    /// The next bit, counted from the start of the data.
    at: usize,
}

/// The data end within a code or a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AtEnd;

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// The next 16 bits, with ones behind the end.
    fn peek(&self) -> usize {
        let byte = self.at / 8;
        let word = match self.data.get(byte..byte + 4) {
            Some(four) => u32::from_be_bytes([four[0], four[1], four[2], four[3]]),
            None => (0..4).fold(0, |word, offset| {
                let next = self.data.get(byte + offset).copied().unwrap_or(0xFF);
                word << 8 | u32::from(next)
            }),
        };
        (word << (self.at % 8) >> 16) as usize
    }

    pub(super) fn skip(&mut self, bits: usize) -> Result<(), AtEnd> {
        self.at += bits;
        if self.at > 8 * self.data.len() {
            return Err(AtEnd);
        }
        Ok(())
    }

    /// A number of at most 16 bits.
    pub(super) fn number(&mut self, bits: usize) -> Result<usize, AtEnd> {
        let number = self.peek() >> (16 - bits);
        self.skip(bits)?;
        Ok(number)
    }

    /// The whole bytes that were not read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.data.get(self.at.div_ceil(8)..).unwrap_or_default()
    }
}

/// A code of the file: which bits stand for which symbol.
pub(super) struct HuffmanTable {
    /// Length and symbol of the code at the front of any [`FAST`](Self::FAST) bits; length 0 for longer codes.
    fast: Box<[(u8, u8); 1 << Self::FAST]>,
    /// For each length up to 16: the first number of 16 bits above its codes.
    above: [usize; 17],
    /// For each length: what leads from a code to the place of its symbol.
    offset: [isize; 17],
    symbols: Vec<u8>,
}

impl HuffmanTable {
    const FAST: usize = 9;

    /// A table from the numbers of codes of each length, 1 to 16, and their symbols in order. `None` if there are more
    /// codes than bits can tell apart, or fewer symbols than codes.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            fast: Box::new([(0, 0); 1 << Self::FAST]),
            above: [0; 17],
            offset: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut place) = (0_usize, 0_usize);
        for (length, &count) in (1_usize..).zip(counts) {
            table.offset[length] = place as isize - code as isize;
            for _ in 0..count {
                let &symbol = symbols.get(place)?;
                if code >> length != 0 {
                    return None;
                }
                if length <= Self::FAST {
                    let spare = Self::FAST - length;
                    table.fast[code << spare..(code + 1) << spare].fill((length as u8, symbol));
                }
                code += 1;
                place += 1;
            }
            table.above[length] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }

    /// The next symbol; `Ok(None)` if the bits are no code.
    #[inline]
    pub(super) fn symbol(&self, bits: &mut Bits<'_>) -> Result<Option<u8>, AtEnd> {
        let next = bits.peek();
        let (length, symbol) = self.fast[next >> (16 - Self::FAST)];
        if length > 0 {
            bits.skip(usize::from(length))?;
            return Ok(Some(symbol));
        }
        for length in Self::FAST + 1..=16 {
            if next < self.above[length] {
                bits.skip(length)?;
                let place = (next >> (16 - length)) as isize + self.offset[length];
                let symbol = usize::try_from(place).ok();
                return Ok(symbol.and_then(|place| self.symbols.get(place).copied()));
            }
        }
        bits.skip(16)?;
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes `0`, `10`, `110`, and one of ten bits: `1110000000`.
    fn table() -> HuffmanTable {
        let mut counts = [0; 16];
        (counts[0], counts[1], counts[2], counts[9]) = (1, 1, 1, 1);
        HuffmanTable::new(&counts, &[5, 6, 7, 8]).expect("codes differ")
    }

    #[test]
    fn codes_are_told_apart() {
        // 0 10 110 1110000000, and no code.
        let data = [0b0101_1011, 0b1000_0000, 0b1111_1111, 0xFF, 0xFF];
        let mut bits = Bits::new(&data);
        let mut next = || table().symbol(&mut bits);
        assert_eq!(next(), Ok(Some(5)));
        assert_eq!(next(), Ok(Some(6)));
        assert_eq!(next(), Ok(Some(7)));
        assert_eq!(next(), Ok(Some(8)));
        assert_eq!(next(), Ok(None));
        assert_eq!(bits.rest(), [0xFF]);
    }

    #[test]
    fn numbers_end_with_the_data() {
        let mut bits = Bits::new(&[0b1010_0000, 0b0000_0001]);
        assert_eq!(bits.number(3), Ok(0b101));
        assert_eq!(bits.number(13), Ok(1));
        assert!(bits.rest().is_empty());
        assert_eq!(bits.number(1), Err(AtEnd));
    }

    #[test]
    fn tables_that_contradict_themselves_are_refused() {
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(HuffmanTable::new(&counts, &[1, 2, 3]).is_none());
        counts[0] = 2;
        assert!(HuffmanTable::new(&counts, &[1]).is_none());
        assert!(HuffmanTable::new(&counts, &[1, 2]).is_some());
    }
}
