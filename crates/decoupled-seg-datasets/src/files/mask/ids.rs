use crate::IGNORE_LABEL;

/// Maps the ids in label files to class indices or [`IGNORE_LABEL`]. All other ids are unknown.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdMap {
    /// Class index or [`IGNORE_LABEL`] of every id; [`Self::UNKNOWN`] for unknown ids.
    table: Box<[u16; 256]>,
    expected: String,
}

impl IdMap {
    const UNKNOWN: u16 = 256;

    /// Ids that equal class indices. The ids in `ignored` stand for [`IGNORE_LABEL`].
    pub fn identity(num_classes: usize, ignored: &[u8]) -> Self {
        let classes = (0_u8..).take(num_classes).map(|index| (index, index));
        let mut map = Self::new(classes.chain(ignored.iter().map(|&id| (id, IGNORE_LABEL))));
        let ignored = ignored
            .iter()
            .map(u8::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        map.expected = format!(
            "0 to {}, or {ignored} for ignored",
            num_classes.saturating_sub(1)
        );
        map
    }

    /// Pairs of an id and its class index or [`IGNORE_LABEL`]. Later pairs win.
    pub fn new(pairs: impl IntoIterator<Item = (u8, u8)>) -> Self {
        let mut table = Box::new([Self::UNKNOWN; 256]);
        for (id, label) in pairs {
            table[usize::from(id)] = u16::from(label);
        }
        let known: Vec<String> = (0..256)
            .filter(|&id| table[id] != Self::UNKNOWN)
            .map(|id| id.to_string())
            .collect();
        Self {
            table,
            expected: format!("one of the ids {}", known.join(", ")),
        }
    }

    /// The class index or [`IGNORE_LABEL`] of an id; `None` for an unknown id.
    pub fn get(&self, id: u16) -> Option<u8> {
        let label = self.table.get(usize::from(id)).copied()?;
        u8::try_from(label).ok()
    }

    /// The known ids, in words.
    pub fn expected(&self) -> &str {
        &self.expected
    }
}
