use decoupled_seg_types::Size;

/// Corners `[x, y]` of a closed line, in pixels; the last one is joined to the first.
pub type Ring = Vec<[u32; 2]>;

/// A region of one label whose pixels touch along their sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelPolygon {
    /// The label.
    pub label: u8,
    /// Number of pixels, without the holes.
    pub area: usize,
    /// The outer line. With x to the right and y down, it runs clockwise.
    pub exterior: Ring,
    /// The lines of the holes; each runs counter-clockwise. No line crosses or meets itself, but two may meet in a
    /// corner.
    pub holes: Vec<Ring>,
}

/// All regions of a label map, in the order of their first pixels, row by row.
///
/// # Panics
///
/// Panics if `labels` does not hold `size.pixels()` labels, or if a side is longer than `u32::MAX`.
pub fn trace(labels: &[u8], size: Size) -> Vec<LabelPolygon> {
    assert!(
        labels.len() == size.pixels(),
        "labels must be {size} = {} pixels, got {}",
        size.pixels(),
        labels.len()
    );
    assert!(
        size.height < u32::MAX as usize && size.width < u32::MAX as usize,
        "sides must fit 32 bits, got {size}"
    );
    let mut tracer = Tracer {
        labels,
        size,
        regions: vec![0; labels.len()],
        passed: vec![false; labels.len()],
    };
    let mut polygons = Vec::new();
    for start in 0..labels.len() {
        if tracer.regions[start] == 0 {
            let pixels = tracer.fill(start, polygons.len() + 1);
            polygons.push(tracer.polygon(&pixels));
        }
    }
    polygons
}

struct Tracer<'a> {
    labels: &'a [u8],
    size: Size,
    /// Number of the region of each pixel, from 1; 0 for a pixel without a region yet.
    regions: Vec<usize>,
    /// Whether the line along the upper side of a pixel has been walked.
    passed: Vec<bool>,
}

impl Tracer<'_> {
    /// Numbers the region of the pixel `start`, and returns its pixels.
    fn fill(&mut self, start: usize, region: usize) -> Vec<usize> {
        let Size { height, width } = self.size;
        self.regions[start] = region;
        let mut pixels = vec![start];
        let mut next = 0;
        while let Some(&pixel) = pixels.get(next) {
            next += 1;
            let (row, column) = (pixel / width, pixel % width);
            let neighbours = [
                (row > 0).then(|| pixel - width),
                (row + 1 < height).then(|| pixel + width),
                (column > 0).then(|| pixel - 1),
                (column + 1 < width).then(|| pixel + 1),
            ];
            for neighbour in neighbours.into_iter().flatten() {
                if self.regions[neighbour] == 0 && self.labels[neighbour] == self.labels[start] {
                    self.regions[neighbour] = region;
                    pixels.push(neighbour);
                }
            }
        }
        pixels
    }

    fn polygon(&mut self, pixels: &[usize]) -> LabelPolygon {
        let region = self.regions[pixels[0]];
        let mut rings = Vec::new();
        // Every closed line passes along the upper side of one of the region's pixels. For the line of a hole that is a
        // pixel just below the hole.
        for &pixel in pixels {
            let corner = [
                (pixel % self.size.width) as i64,
                (pixel / self.size.width) as i64,
            ];
            if !self.passed[pixel] && !self.inside(region, [corner[0], corner[1] - 1]) {
                split(&self.walk(region, corner), &mut rings);
            }
        }
        let mut exterior = Ring::new();
        let mut holes = Vec::new();
        for ring in rings {
            if double_area(&ring) > 0 {
                debug_assert!(exterior.is_empty(), "a region has one outer line");
                exterior = ring;
            } else {
                holes.push(ring);
            }
        }
        LabelPolygon {
            label: self.labels[pixels[0]],
            area: pixels.len(),
            exterior,
            holes,
        }
    }

    fn inside(&self, region: usize, [x, y]: [i64; 2]) -> bool {
        let Size { height, width } = self.size;
        (0..width as i64).contains(&x)
            && (0..height as i64).contains(&y)
            && self.regions[y as usize * width + x as usize] == region
    }

    /// Walks along the region with its pixels at the right hand, from the upper left corner of a pixel to the right,
    /// until it is back. Returns every corner of the pixel grid on the way.
    fn walk(&mut self, region: usize, start: [i64; 2]) -> Vec<[i64; 2]> {
        let mut line = Vec::new();
        let mut at = start;
        let mut step = [1, 0];
        loop {
            line.push(at);
            if step == [1, 0] {
                self.passed[at[1] as usize * self.size.width + at[0] as usize] = true;
            }
            at = [at[0] + step[0], at[1] + step[1]];
            let [dx, dy] = step;
            let right = [-dy, dx];
            // The two pixels ahead of the corner `at`: one on the right-hand side of the direction, one on the
            // left-hand side.
            let pixel = |side: [i64; 2]| {
                [
                    at[0] + (dx + side[0] - 1) / 2,
                    at[1] + (dy + side[1] - 1) / 2,
                ]
            };
            let ahead_right = self.inside(region, pixel(right));
            let ahead_left = self.inside(region, pixel([dy, -dx]));
            step = match (ahead_right, ahead_left) {
                // The region ends ahead on the right. Where another of its pixels touches in this corner only, stay
                // with this pixel.
                (false, _) => right,
                (true, false) => step,
                (true, true) => [dy, -dx],
            };
            if at == start && step == [1, 0] {
                return line;
            }
        }
    }
}

/// Cuts a line at the corners that it passes twice, and leaves out the grid points where it goes straight on.
fn split(line: &[[i64; 2]], rings: &mut Vec<Ring>) {
    let mut open: Vec<[i64; 2]> = Vec::new();
    let mut position = std::collections::HashMap::new();
    for &corner in line {
        if let Some(&first) = position.get(&corner) {
            let ring: Vec<[i64; 2]> = open.drain(first..).collect();
            for corner in &ring {
                position.remove(corner);
            }
            rings.push(corners(&ring));
        }
        position.insert(corner, open.len());
        open.push(corner);
    }
    rings.push(corners(&open));
}

fn corners(line: &[[i64; 2]]) -> Ring {
    let count = line.len();
    (0..count)
        .filter(|&i| {
            let ([x0, y0], [x, y], [x1, y1]) = (
                line[(i + count - 1) % count],
                line[i],
                line[(i + 1) % count],
            );
            (x - x0, y - y0) != (x1 - x, y1 - y)
        })
        .map(|i| [line[i][0] as u32, line[i][1] as u32])
        .collect()
}

/// Twice the area; positive for a line that runs clockwise as seen (y down).
pub(crate) fn double_area(ring: &Ring) -> i64 {
    (0..ring.len())
        .map(|i| {
            let ([x0, y0], [x1, y1]) = (ring[i], ring[(i + 1) % ring.len()]);
            i64::from(x0) * i64::from(y1) - i64::from(x1) * i64::from(y0)
        })
        .sum()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether the centre of a pixel lies inside: then the number of vertical pieces to its left is odd.
    pub(crate) fn encloses(ring: &Ring, row: usize, column: usize) -> bool {
        let crossed = (0..ring.len()).filter(|&i| {
            let ([x0, y0], [x1, y1]) = (ring[i], ring[(i + 1) % ring.len()]);
            let (low, high) = (y0.min(y1) as usize, y0.max(y1) as usize);
            x0 == x1 && x0 as usize <= column && (low..high).contains(&row)
        });
        crossed.count() % 2 == 1
    }

    /// Draws the polygons; a pixel that is drawn twice or never is an error.
    fn draw(polygons: &[LabelPolygon], size: Size) -> Vec<u8> {
        let mut labels = vec![None; size.pixels()];
        for polygon in polygons {
            let mut area = 0;
            for (pixel, label) in labels.iter_mut().enumerate() {
                let (row, column) = (pixel / size.width, pixel % size.width);
                let in_hole = polygon.holes.iter().any(|hole| encloses(hole, row, column));
                if encloses(&polygon.exterior, row, column) && !in_hole {
                    assert_eq!(label.replace(polygon.label), None, "drawn twice");
                    area += 1;
                }
            }
            assert_eq!(area, polygon.area);
        }
        labels
            .into_iter()
            .map(|label| label.expect("drawn"))
            .collect()
    }

    fn map(text: &str) -> (Vec<u8>, Size) {
        let rows: Vec<&str> = text.split_whitespace().collect();
        let labels = rows.concat().bytes().map(|digit| digit - b'0').collect();
        (labels, Size::new(rows.len(), rows[0].len()))
    }

    #[test]
    fn a_pixel_is_a_square() {
        let polygons = trace(&[7], Size::square(1));
        let square = LabelPolygon {
            label: 7,
            area: 1,
            exterior: vec![[0, 0], [1, 0], [1, 1], [0, 1]],
            holes: vec![],
        };
        assert_eq!(polygons, [square]);
        assert_eq!(trace(&[], Size::new(0, 5)), []);
    }

    #[test]
    fn a_ring_has_a_hole() {
        let (labels, size) = map("1111 1001 1111");
        let polygons = trace(&labels, size);
        assert_eq!(polygons.len(), 2);
        assert_eq!(polygons[0].exterior, [[0, 0], [4, 0], [4, 3], [0, 3]]);
        assert_eq!(
            polygons[0].holes,
            [[[1, 1], [1, 2], [3, 2], [3, 1]]].map(|mut hole: [[u32; 2]; 4]| {
                let first = polygons[0].holes[0][0];
                let at = hole
                    .iter()
                    .position(|&corner| corner == first)
                    .expect("one of them");
                hole.rotate_left(at);
                hole.to_vec()
            })
        );
        assert_eq!(draw(&polygons, size), labels);
    }

    #[test]
    fn regions_that_touch_in_a_corner_are_two_and_holes_likewise() {
        let (labels, size) = map("10 01");
        assert_eq!(trace(&labels, size).len(), 4);
        let (labels, size) = map("11111 10111 11011 11111");
        let polygons = trace(&labels, size);
        assert_eq!((polygons.len(), polygons[0].holes.len()), (3, 2));
        // The region touches itself in a corner, once from the outside and once around a hole.
        for text in [
            "111 101 110",
            "0111 1101 1011 1110",
            "11100 10111 11101 00111",
        ] {
            let (labels, size) = map(text);
            assert_eq!(draw(&trace(&labels, size), size), labels, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn drawn_again_it_is_the_same_map(
            (size, labels) in (1_usize..9, 1_usize..9, 2_u8..4).prop_flat_map(|(height, width, classes)| {
                (Just(Size::new(height, width)), prop::collection::vec(0..classes, height * width))
            })
        ) {
            let polygons = trace(&labels, size);
            prop_assert_eq!(draw(&polygons, size), labels);
            for ring in polygons.iter().flat_map(|polygon| polygon.holes.iter().chain([&polygon.exterior])) {
                let mut corners = ring.clone();
                corners.sort_unstable();
                corners.dedup();
                prop_assert_eq!(corners.len(), ring.len(), "a line meets itself");
            }
        }
    }
}
