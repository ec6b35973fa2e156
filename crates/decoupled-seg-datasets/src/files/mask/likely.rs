//! What the unknown values of a mask look like.

use decoupled_seg_types::Size;

use super::{IdMap, RawMask, RawValues};
use crate::{IGNORE_LABEL, OtherValues};

/// Where the unknown values of a mask of ids may come from.
pub(super) fn likely_values(mask: &RawMask, ids: &IdMap) -> OtherValues {
    let fill = match &mask.values {
        RawValues::Bytes(values) => {
            fill_areas(mask.size, values, |value| ids.get(value.into()).is_none())
        }
        RawValues::Words(values) => fill_areas(mask.size, values, |value| ids.get(value).is_none()),
        RawValues::Colors(_) | RawValues::Unsupported => false,
    };
    let histogram = mask.histogram();
    let is_object = |value: &u16| *value != 0 && ids.get(*value) != Some(IGNORE_LABEL);
    let mut counted = histogram.into_keys().filter(is_object).zip(1..);
    match (fill, counted.all(|(value, number)| value == number)) {
        (true, true) => OtherValues::Numbers,
        (true, false) => OtherValues::Areas,
        (false, _) => OtherValues::Smoothed,
    }
}

/// Where the unknown colours of a mask may come from.
pub(super) fn likely_colors(
    size: Size,
    colors: &[[u8; 3]],
    is_known: impl Fn([u8; 3]) -> bool,
) -> OtherValues {
    if are_exchanged(colors, &is_known) {
        OtherValues::RedAndBlue
    } else if fill_areas(size, colors, |color| !is_known(color)) {
        OtherValues::Areas
    } else {
        OtherValues::Smoothed
    }
}

/// Whether all colours are known once red and blue are exchanged.
pub(super) fn are_exchanged(colors: &[[u8; 3]], is_known: impl Fn([u8; 3]) -> bool) -> bool {
    colors.chunk_by(|a, b| a == b).all(|same| {
        let [red, green, blue] = same[0];
        is_known([blue, green, red])
    })
}

/// Whether at least half of the unknown pixels are as their neighbours to the left and above. Those of mixed values, along
/// a border, differ from one of the two.
fn fill_areas<T: Copy + PartialEq>(
    size: Size,
    values: &[T],
    is_unknown: impl Fn(T) -> bool,
) -> bool {
    let width = size.width;
    let (mut unknown, mut inner) = (0, 0);
    for (at, &value) in values
        .iter()
        .enumerate()
        .filter(|(_, value)| is_unknown(**value))
    {
        unknown += 1;
        let has_both = at >= width && at % width > 0;
        let is_inner = has_both && values[at - 1] == value && values[at - width] == value;
        inner += usize::from(is_inner);
    }
    2 * inner >= unknown
}
