//! The boundary pixels of every class of a map, in one pass.

use decoupled_seg_types::Size;
use rayon::prelude::*;

/// Rows a task scans at a time.
const BAND: usize = 64;

/// Pixels compared at a time. Most blocks hold no boundary, and for these one vector comparison is enough.
const BLOCK: usize = 16;

/// Boundary pixels of each class of a label map.
///
/// With the mask `m = (map == class)`, a pixel is on the boundary of the class when `m` differs between it and its
/// right, lower or lower-right neighbour. Neighbours outside the image do not count, so the last row looks right
/// only, the last column down only, and the lower right corner is never on a boundary.
///
/// ```text
/// b(y, x) = m(y, x) != m(y, x+1)  or  m(y, x) != m(y+1, x)  or  m(y, x) != m(y+1, x+1)
/// ```
///
/// So `(y, x)` is on the boundary of exactly the classes that have some but not all of these four pixels. One pass
/// finds the boundaries of all classes.
///
/// Source: the boundary map of Martin, Fowlkes, Malik, PAMI 2004, as the DAVIS benchmark (Perazzi et al., CVPR 2016)
/// takes it from a mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassBoundaries {
    size: Size,
    positions: Vec<Vec<u32>>,
}

impl ClassBoundaries {
    /// Finds the boundaries of the classes `0..num_classes` in `map`, row by row.
    ///
    /// Other values belong to no class. The border between a class and such pixels is a boundary of the class.
    ///
    /// # Panics
    ///
    /// Panics if `map` does not have `size.pixels()` pixels, or if it has 2^32 or more.
    pub fn new(map: &[u8], size: Size, num_classes: usize) -> Self {
        assert_eq!(map.len(), size.pixels(), "map must have {size} pixels");
        assert!(
            u32::try_from(map.len()).is_ok(),
            "map must have less than 2^32 pixels"
        );

        let Size { height, width } = size;
        let bands: Vec<Vec<Vec<u32>>> = (0..height.div_ceil(BAND))
            .into_par_iter()
            .map(|band| {
                let mut positions = vec![Vec::new(); num_classes];
                for y in band * BAND..height.min((band + 1) * BAND) {
                    let row = &map[y * width..(y + 1) * width];
                    // The last row is compared with itself, which adds no boundary.
                    let below = map.get((y + 1) * width..(y + 2) * width).unwrap_or(row);
                    scan_row(row, below, (y * width) as u32, &mut positions);
                }
                positions
            })
            .collect();
        let positions = (0..num_classes)
            .into_par_iter()
            .map(|class| {
                let parts: Vec<&[u32]> = bands.iter().map(|band| band[class].as_slice()).collect();
                parts.concat()
            })
            .collect();
        Self { size, positions }
    }

    /// Row-major indices of the boundary pixels of `class`, ascending.
    ///
    /// # Panics
    ///
    /// Panics if `class` is not below the number of classes.
    pub fn positions(&self, class: usize) -> &[u32] {
        &self.positions[class]
    }

    /// Classes of the map.
    pub fn num_classes(&self) -> usize {
        self.positions.len()
    }

    /// Size of the map.
    pub fn size(&self) -> Size {
        self.size
    }
}

/// Appends the boundary pixels of one row; `first` is the index of its first pixel.
fn scan_row(row: &[u8], below: &[u8], first: u32, positions: &mut [Vec<u32>]) {
    let width = row.len();
    let mut x = 0;
    // Whole blocks whose right neighbours exist too.
    while x + BLOCK < width {
        let here: &[u8] = &row[x..x + BLOCK];
        let neighbours = row[x + 1..=x + BLOCK]
            .iter()
            .zip(&below[x..x + BLOCK])
            .zip(&below[x + 1..=x + BLOCK]);
        let changes =
            here.iter()
                .zip(neighbours)
                .fold(0, |changes, (&p, ((&east, &south), &south_east))| {
                    changes | (p ^ east) | (p ^ south) | (p ^ south_east)
                });
        if changes != 0 {
            for x in x..x + BLOCK {
                push(row, below, x, x + 1, first, positions);
            }
        }
        x += BLOCK;
    }
    for x in x..width {
        push(row, below, x, (x + 1).min(width - 1), first, positions);
    }
}

/// Appends pixel `x` to the boundary of every class that has some but not all of its four pixels.
#[inline]
fn push(row: &[u8], below: &[u8], x: usize, east: usize, first: u32, positions: &mut [Vec<u32>]) {
    let [a, b, c, d] = [row[x], row[east], below[x], below[east]];
    if a == b && a == c && a == d {
        return;
    }
    let mut add = |value: u8| {
        if let Some(list) = positions.get_mut(usize::from(value)) {
            list.push(first + x as u32);
        }
    };
    add(a);
    if b != a {
        add(b);
    }
    if c != a && c != b {
        add(c);
    }
    if d != a && d != b && d != c {
        add(d);
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The definition, pixel by pixel.
    fn by_definition(map: &[u8], Size { height, width }: Size, class: u8) -> Vec<u32> {
        let mask = |y: usize, x: usize| map[y * width + x] == class;
        let mut positions = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let [right, down] = [x + 1 < width, y + 1 < height];
                if right && mask(y, x) != mask(y, x + 1)
                    || down && mask(y, x) != mask(y + 1, x)
                    || right && down && mask(y, x) != mask(y + 1, x + 1)
                {
                    positions.push((y * width + x) as u32);
                }
            }
        }
        positions
    }

    #[test]
    fn a_single_pixel_is_seen_from_four_pixels() {
        let mut map = [0; 9];
        map[4] = 1;
        let boundaries = ClassBoundaries::new(&map, Size::square(3), 2);
        assert_eq!(boundaries.positions(1), [0, 1, 3, 4]);
        // The boundary of the background runs through the same pixels.
        assert_eq!(boundaries.positions(0), [0, 1, 3, 4]);
    }

    #[rstest]
    #[case(Size::new(1, 1))]
    #[case(Size::new(1, 100))]
    #[case(Size::new(100, 1))]
    #[case(Size::new(65, 33))]
    #[case(Size::new(130, 97))]
    fn follows_the_definition(#[case] size: Size) {
        // Runs of pseudo-random length, so that uniform and mixed blocks both occur.
        let mut state = 1u32;
        let mut map = Vec::new();
        while map.len() < size.pixels() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let run = if state >> 31 == 0 { 50 } else { 1 };
            map.extend(std::iter::repeat_n((state >> 16) as u8 % 5, run));
        }
        map.truncate(size.pixels());
        let boundaries = ClassBoundaries::new(&map, size, 4);
        for class in 0..4 {
            assert_eq!(
                boundaries.positions(class),
                by_definition(&map, size, class as u8),
                "class {class}"
            );
        }
    }
}
