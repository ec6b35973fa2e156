use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A term of the loss, as logs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossTerm {
    /// The sum that is trained on.
    Total,
    /// Cross entropy of the final map.
    Segmentation,
    /// Relaxed loss of the body map.
    Body,
    /// Binary cross entropy of the edge map.
    Edge,
    /// Cross entropy of the final map on predicted edges.
    Attention,
    /// Difference between the borders of the final map and those of the labels.
    Duality,
    /// Cross entropy of an auxiliary head.
    Auxiliary,
}

impl LossTerm {
    /// All terms, in the order of the fields of [`Terms`].
    pub const ALL: [Self; 7] = [
        Self::Total,
        Self::Segmentation,
        Self::Body,
        Self::Edge,
        Self::Attention,
        Self::Duality,
        Self::Auxiliary,
    ];

    /// The name in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Segmentation => "segmentation",
            Self::Body => "body",
            Self::Edge => "edge",
            Self::Attention => "attention",
            Self::Duality => "duality",
            Self::Auxiliary => "auxiliary",
        }
    }
}

impl std::fmt::Display for LossTerm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One value for each term of a loss, each with its factor, as it enters the total. Terms that a network does not have
/// are `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms<T> {
    /// The sum of the others.
    pub total: T,
    /// See [`LossTerm::Segmentation`].
    pub segmentation: T,
    /// See [`LossTerm::Body`]; of decoupled networks.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub body: Option<T>,
    /// See [`LossTerm::Edge`]; of decoupled networks and those with a shape stream.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub edge: Option<T>,
    /// See [`LossTerm::Attention`]; of decoupled networks and those with a shape stream.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub attention: Option<T>,
    /// See [`LossTerm::Duality`]; of networks with a shape stream.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub duality: Option<T>,
    /// See [`LossTerm::Auxiliary`]; of networks with an auxiliary head.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub auxiliary: Option<T>,
}

/// `Option::default` without asking `T` for a default.
fn none<T>() -> Option<T> {
    None
}

/// The terms of a loss on its device, all `[1]`; call `backward` on the total.
pub type LossTerms = Terms<Tensor<1>>;

/// The terms of a loss, read back from the device.
pub type LossValues = Terms<f32>;

impl<T> Terms<T> {
    /// The same terms, borrowed.
    pub fn as_ref(&self) -> Terms<&T> {
        Terms {
            total: &self.total,
            segmentation: &self.segmentation,
            body: self.body.as_ref(),
            edge: self.edge.as_ref(),
            attention: self.attention.as_ref(),
            duality: self.duality.as_ref(),
            auxiliary: self.auxiliary.as_ref(),
        }
    }

    /// The terms with each value changed, in the order of [`LossTerm::ALL`].
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> Terms<U> {
        Terms {
            total: change(self.total),
            segmentation: change(self.segmentation),
            body: self.body.map(&mut change),
            edge: self.edge.map(&mut change),
            attention: self.attention.map(&mut change),
            duality: self.duality.map(&mut change),
            auxiliary: self.auxiliary.map(&mut change),
        }
    }

    /// Puts the values of two losses together; a term that one of them has not is `None`.
    pub fn zip_with<U, V>(self, other: Terms<U>, mut combine: impl FnMut(T, U) -> V) -> Terms<V> {
        let total = combine(self.total, other.total);
        let segmentation = combine(self.segmentation, other.segmentation);
        let mut both = |a: Option<T>, b: Option<U>| a.zip(b).map(|(a, b)| combine(a, b));
        Terms {
            total,
            segmentation,
            body: both(self.body, other.body),
            edge: both(self.edge, other.edge),
            attention: both(self.attention, other.attention),
            duality: both(self.duality, other.duality),
            auxiliary: both(self.auxiliary, other.auxiliary),
        }
    }

    /// The value of a term, if the loss has it.
    pub fn get(&self, term: LossTerm) -> Option<&T> {
        match term {
            LossTerm::Total => Some(&self.total),
            LossTerm::Segmentation => Some(&self.segmentation),
            LossTerm::Body => self.body.as_ref(),
            LossTerm::Edge => self.edge.as_ref(),
            LossTerm::Attention => self.attention.as_ref(),
            LossTerm::Duality => self.duality.as_ref(),
            LossTerm::Auxiliary => self.auxiliary.as_ref(),
        }
    }

    /// The terms that are there, the total first.
    pub fn iter(&self) -> impl Iterator<Item = (LossTerm, &T)> {
        LossTerm::ALL
            .into_iter()
            .filter_map(|term| Some((term, self.get(term)?)))
    }
}

impl LossValues {
    /// The first term that is not finite. The parts come before the total, which says less.
    pub fn first_not_finite(&self) -> Option<(LossTerm, f32)> {
        self.iter()
            .skip(1)
            .chain([(LossTerm::Total, &self.total)])
            .map(|(term, &value)| (term, value))
            .find(|(_, value)| !value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> LossValues {
        Terms {
            total: 6.0,
            segmentation: 1.0,
            edge: Some(2.0),
            auxiliary: Some(3.0),
            ..Terms::default()
        }
    }

    #[test]
    fn terms_come_in_order_under_their_names() {
        let expected = [
            (LossTerm::Total, 6.0),
            (LossTerm::Segmentation, 1.0),
            (LossTerm::Edge, 2.0),
            (LossTerm::Auxiliary, 3.0),
        ];
        let mut seen = Vec::new();
        let doubled = values().map(|value| {
            seen.push(value);
            2.0 * value
        });
        assert_eq!(seen, expected.map(|(_, value)| value));
        let found: Vec<_> = doubled.iter().map(|(term, &value)| (term, value)).collect();
        assert_eq!(found, expected.map(|(term, value)| (term, 2.0 * value)));
        assert_eq!(doubled.get(LossTerm::Body), None);
        assert_eq!(doubled.zip_with(values(), |a, b| a - b), values());
    }

    #[test]
    fn a_log_holds_what_is_there() {
        let json = serde_json::to_string(&values()).expect("numbers");
        assert_eq!(
            json,
            r#"{"total":6.0,"segmentation":1.0,"edge":2.0,"auxiliary":3.0}"#
        );
        assert_eq!(
            serde_json::from_str::<LossValues>(&json).expect("its own"),
            values()
        );
    }

    #[test]
    fn the_culprit_is_named_before_the_total() {
        let broken = LossValues {
            total: f32::NAN,
            edge: Some(f32::INFINITY),
            ..values()
        };
        assert_eq!(
            broken.first_not_finite(),
            Some((LossTerm::Edge, f32::INFINITY))
        );
        assert_eq!(values().first_not_finite(), None);
    }
}
