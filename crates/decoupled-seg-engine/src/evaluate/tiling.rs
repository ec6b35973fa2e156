use crate::recipe::OverlapCount;

/// A tile of an image, in pixels; the far ends are exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// First column.
    pub x1: usize,
    /// First row.
    pub y1: usize,
    /// Column after the last.
    pub x2: usize,
    /// Row after the last.
    pub y2: usize,
}

/// Covers `height` x `width` pixels with tiles of at most `tile` = `[height, width]` pixels, columns outside, rows
/// inside.
///
/// ```text
/// stride = ceil(tile * (1 - overlap))
/// count  = max(ceil((size - tile) / stride) + 1, 1)
/// start  = i * stride, moved back so that the tile ends inside
/// ```
///
/// All tiles have the same size: `tile`, or the image's where it is smaller. Source: the sliding evaluation of the
/// authors' code.
///
/// # Panics
///
/// Panics if a size is 0 or `overlap` is outside `0.0..1.0`.
pub fn tiles(height: usize, width: usize, tile: [usize; 2], overlap: f64) -> Vec<Tile> {
    let columns = spans(width, tile[1], overlap);
    let rows = spans(height, tile[0], overlap);
    columns
        .iter()
        .flat_map(|&(x1, x2)| rows.iter().map(move |&(y1, y2)| Tile { x1, y1, x2, y2 }))
        .collect()
}

fn spans(size: usize, tile: usize, overlap: f64) -> Vec<(usize, usize)> {
    assert!(
        size > 0 && tile > 0,
        "sizes of image and tile must not be 0"
    );
    assert!(
        (0.0..1.0).contains(&overlap),
        "overlap must be at least 0 and below 1, got {overlap}"
    );
    // In f64 and rounded up, as the reference does: 33 * (1 - 1/3) is a little more than 22, so the stride is 23.
    let stride = (tile as f64 * (1.0 - overlap)).ceil() as usize;
    let count = size.saturating_sub(tile).div_ceil(stride) + 1;
    (0..count)
        .map(|i| {
            let end = (i * stride + tile).min(size);
            (end.saturating_sub(tile), end)
        })
        .collect()
}

/// How many tiles cover each pixel, as the divisor of the summed logits: `[classes, height, width]` collapsed along
/// the axes it does not depend on.
pub(crate) struct Divisor {
    /// `[channels, height, width]`, 1 where constant along an axis.
    pub shape: [usize; 3],
    pub values: Vec<f32>,
}

impl OverlapCount {
    pub(crate) fn divisor(
        self,
        tiles: &[Tile],
        classes: usize,
        height: usize,
        width: usize,
    ) -> Divisor {
        match self {
            Self::PerPixel => {
                let mut values = vec![0.0; height * width];
                for tile in tiles {
                    for y in tile.y1..tile.y2 {
                        values[y * width + tile.x1..y * width + tile.x2]
                            .iter_mut()
                            .for_each(|count| *count += 1.0);
                    }
                }
                Divisor {
                    shape: [1, height, width],
                    values,
                }
            }
            Self::Official => {
                let mut values = vec![0.0; classes * height];
                for tile in tiles {
                    for class in tile.y1..tile.y2.min(classes) {
                        for row in tile.x1..tile.x2.min(height) {
                            values[class * height + row] += 1.0;
                        }
                    }
                }
                Divisor {
                    shape: [classes, height, 1],
                    values,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const THIRD: f64 = 1.0 / 3.0;

    // Starts of the reference's program on a 1024x2048 image, tile 832 grown with the scale.
    #[rstest]
    #[case(1024, 832, &[0, 192])]
    #[case(1536, 832, &[0, 555, 704])]
    #[case(2048, 832, &[0, 555, 1110, 1216])]
    #[case(2560, 1040, &[0, 694, 1388, 1520])]
    #[case(4096, 1664, &[0, 1110, 2220, 2432])]
    #[case(384, 832, &[0])]
    fn starts(#[case] size: usize, #[case] tile: usize, #[case] expected: &[usize]) {
        let found: Vec<usize> = spans(size, tile, THIRD).iter().map(|span| span.0).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_pixel_is_covered_and_no_tile_leaves_the_image() {
        for (height, width, tile) in [(70, 110, 33), (33, 33, 33), (20, 90, 33), (7, 5, 1)] {
            let tiles = tiles(height, width, [tile, tile], THIRD);
            let divisor = OverlapCount::PerPixel.divisor(&tiles, 4, height, width);
            assert!(divisor.values.iter().all(|&count| count >= 1.0));
            for tile in tiles {
                assert!(tile.x2 <= width && tile.y2 <= height, "{tile:?}");
            }
        }
    }

    #[test]
    fn the_reference_counts_rows_instead_of_columns() {
        // Behaviour of the reference at scale 1: rows 0 to 554 once, 555 to 831 twice, then once.
        let tiles = tiles(1024, 2048, [832, 832], THIRD);
        let divisor = OverlapCount::Official.divisor(&tiles, 19, 1024, 2048);
        assert_eq!(divisor.shape, [19, 1024, 1]);
        let at = |row: usize| divisor.values[5 * 1024 + row];
        assert_eq!(
            [at(0), at(554), at(555), at(831), at(832)],
            [1.0, 1.0, 2.0, 2.0, 1.0]
        );
    }

    #[test]
    #[should_panic(expected = "overlap must be at least 0 and below 1, got 1")]
    fn refuses_a_stride_of_zero() {
        tiles(10, 10, [5, 5], 1.0);
    }
}
