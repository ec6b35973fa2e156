use std::fmt;

use burn::tensor::DType;

/// How the tensors of a file differ from those of a network, in the file's names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mismatch {
    /// Tensors that only the network has.
    pub missing: Vec<String>,
    /// Tensors that only the file has.
    pub unexpected: Vec<String>,
    /// Tensors that both have, with different shapes or kinds of numbers.
    pub misshaped: Vec<Misshaped>,
}

/// A tensor that file and network both have, but that does not fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Misshaped {
    /// Its name in the file.
    pub key: String,
    /// Shape of the network's tensor.
    pub expected: Vec<usize>,
    /// Shape in the file.
    pub found: Vec<usize>,
    /// Type of its numbers in the file; the network's are floating-point.
    pub dtype: DType,
}

impl Mismatch {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.misshaped.is_empty()
    }
}

/// A message lists this many names and counts the rest. The fields hold all names.
const LISTED: usize = 8;

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let misshaped: Vec<String> = self.misshaped.iter().map(Misshaped::to_string).collect();
        let mut separator = "";
        for (what, names) in [
            ("missing", &self.missing),
            ("unexpected", &self.unexpected),
            ("of another shape", &misshaped),
        ] {
            if names.is_empty() {
                continue;
            }
            write!(f, "{separator}{} {what} (", names.len())?;
            write!(f, "{}", names[..names.len().min(LISTED)].join(", "))?;
            if names.len() > LISTED {
                write!(f, ", and {} more", names.len() - LISTED)?;
            }
            write!(f, ")")?;
            separator = "; ";
        }
        Ok(())
    }
}

impl fmt::Display for Misshaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            expected,
            found,
            dtype,
        } = self;
        write!(f, "{key}: expected {expected:?}, found {found:?}")?;
        if !dtype.is_float() {
            write!(f, " of {dtype:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_first_and_counts_the_rest() {
        let mismatch = Mismatch {
            missing: (0..10).map(|index| format!("layer.{index}")).collect(),
            unexpected: Vec::new(),
            misshaped: vec![Misshaped {
                key: "final.6.weight".to_string(),
                expected: vec![19, 256, 1, 1],
                found: vec![11, 256, 1, 1],
                dtype: DType::F32,
            }],
        };
        assert_eq!(
            mismatch.to_string(),
            "10 missing (layer.0, layer.1, layer.2, layer.3, layer.4, layer.5, layer.6, layer.7, and 2 more); \
             1 of another shape (final.6.weight: expected [19, 256, 1, 1], found [11, 256, 1, 1])"
        );
    }
}
