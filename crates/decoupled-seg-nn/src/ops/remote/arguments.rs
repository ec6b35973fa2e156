//! Arguments that are no tensors, as the scalars that Burn's remote backend carries.

use burn::backend::ir::ScalarIr;
use burn::tensor::ops::ConvOptions;
use decoupled_seg_types::Size;

use super::super::options::{FlowUnit, WarpGradient, WarpOptions, WarpPadding};

/// What the two ends of an operation write and read in one order.
///
/// Reading panics at what a client of this version never writes; the server then ends the session.
pub(super) trait Arguments: Sized {
    fn write(&self, to: &mut Vec<ScalarIr>);

    fn read(from: &mut impl Iterator<Item = ScalarIr>) -> Self;
}

fn next(from: &mut impl Iterator<Item = ScalarIr>) -> ScalarIr {
    from.next()
        .expect("the client sends as many arguments as the operation has")
}

impl Arguments for bool {
    fn write(&self, to: &mut Vec<ScalarIr>) {
        to.push(ScalarIr::Bool(*self));
    }

    fn read(from: &mut impl Iterator<Item = ScalarIr>) -> Self {
        match next(from) {
            ScalarIr::Bool(value) => value,
            other => panic!("expected a truth value, got {other:?}"),
        }
    }
}

impl Arguments for usize {
    fn write(&self, to: &mut Vec<ScalarIr>) {
        to.push(ScalarIr::UInt(*self as u64));
    }

    fn read(from: &mut impl Iterator<Item = ScalarIr>) -> Self {
        match next(from) {
            ScalarIr::UInt(value) => value.try_into().expect("a size of a tensor in memory"),
            other => panic!("expected a count, got {other:?}"),
        }
    }
}

impl Arguments for f64 {
    fn write(&self, to: &mut Vec<ScalarIr>) {
        to.push(ScalarIr::Float(*self));
    }

    fn read(from: &mut impl Iterator<Item = ScalarIr>) -> Self {
        match next(from) {
            ScalarIr::Float(value) => value,
            other => panic!("expected a number, got {other:?}"),
        }
    }
}

impl Arguments for () {
    fn write(&self, _to: &mut Vec<ScalarIr>) {}

    fn read(_from: &mut impl Iterator<Item = ScalarIr>) -> Self {}
}

impl<A: Arguments, B: Arguments> Arguments for (A, B) {
    fn write(&self, to: &mut Vec<ScalarIr>) {
        self.0.write(to);
        self.1.write(to);
    }

    fn read(from: &mut impl Iterator<Item = ScalarIr>) -> Self {
        (A::read(from), B::read(from))
    }
}

impl<A: Arguments, B: Arguments, C: Arguments> Arguments for (A, B, C) {
    fn write(&self, to: &mut Vec<ScalarIr>) {
        self.0.write(to);
        self.1.write(to);
        self.2.write(to);
    }

    fn read(from: &mut impl Iterator<Item = ScalarIr>) -> Self {
        (A::read(from), B::read(from), C::read(from))
    }
}

impl<A: Arguments> Arguments for [A; 2] {
    fn write(&self, to: &mut Vec<ScalarIr>) {
        self.iter().for_each(|value| value.write(to));
    }

    fn read(from: &mut impl Iterator<Item = ScalarIr>) -> Self {
        [A::read(from), A::read(from)]
    }
}

impl Arguments for Size {
    fn write(&self, to: &mut Vec<ScalarIr>) {
        [self.height, self.width].write(to);
    }

    fn read(from: &mut impl Iterator<Item = ScalarIr>) -> Self {
        let [height, width] = Arguments::read(from);
        Self::new(height, width)
    }
}

impl Arguments for ConvOptions<2> {
    fn write(&self, to: &mut Vec<ScalarIr>) {
        self.stride.write(to);
        self.padding.write(to);
        self.dilation.write(to);
        self.groups.write(to);
    }

    fn read(from: &mut impl Iterator<Item = ScalarIr>) -> Self {
        let (stride, padding) = Arguments::read(from);
        let (dilation, groups) = Arguments::read(from);
        Self::new_with_padding(stride, padding, dilation, groups)
    }
}

impl Arguments for WarpOptions {
    fn write(&self, to: &mut Vec<ScalarIr>) {
        (self.flow_unit == FlowUnit::Pixels).write(to);
        self.align_corners.write(to);
        (self.padding == WarpPadding::Border).write(to);
        (self.gradient == WarpGradient::Deterministic).write(to);
    }

    fn read(from: &mut impl Iterator<Item = ScalarIr>) -> Self {
        Self {
            flow_unit: match bool::read(from) {
                true => FlowUnit::Pixels,
                false => FlowUnit::HalfGrid,
            },
            align_corners: bool::read(from),
            padding: match bool::read(from) {
                true => WarpPadding::Border,
                false => WarpPadding::Zeros,
            },
            gradient: match bool::read(from) {
                true => WarpGradient::Deterministic,
                false => WarpGradient::Fast,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returned<A: Arguments>(arguments: &A) -> A {
        let mut scalars = Vec::new();
        arguments.write(&mut scalars);
        let mut scalars = scalars.into_iter();
        let read = A::read(&mut scalars);
        assert_eq!(scalars.len(), 0, "everything that was written is read");
        read
    }

    #[test]
    fn what_is_written_is_read() {
        let options = ConvOptions::new_with_padding([1, 2], [(3, 4), (5, 6)], [7, 8], 9);
        let arguments = (options, Size::new(10, 11), 1e-5);
        assert_eq!(returned(&arguments), arguments);
        for bits in 0..16 {
            let bit = |index: usize| bits >> index & 1 == 1;
            let options = WarpOptions {
                flow_unit: [FlowUnit::HalfGrid, FlowUnit::Pixels][usize::from(bit(0))],
                align_corners: bit(1),
                padding: [WarpPadding::Zeros, WarpPadding::Border][usize::from(bit(2))],
                gradient: [WarpGradient::Fast, WarpGradient::Deterministic][usize::from(bit(3))],
            };
            assert_eq!(returned(&(options, bit(0))), (options, bit(0)));
        }
    }

    #[test]
    #[should_panic(expected = "as many arguments as the operation has")]
    fn too_few_arguments_are_refused() {
        let _ = <(bool, bool)>::read(&mut [ScalarIr::Bool(true)].into_iter());
    }

    #[test]
    #[should_panic(expected = "expected a count, got Float(1.0)")]
    fn arguments_of_another_kind_are_refused() {
        let _ = usize::read(&mut [ScalarIr::Float(1.0)].into_iter());
    }

    #[test]
    #[should_panic(expected = "stride must be non-zero")]
    fn a_stride_of_nothing_is_refused() {
        let mut scalars = Vec::new();
        ([0_usize, 1], [(0_usize, 0_usize); 2]).write(&mut scalars);
        ([1_usize, 1], 1_usize).write(&mut scalars);
        let _ = ConvOptions::<2>::read(&mut scalars.into_iter());
    }
}
