//! Eight channel planes side by side.
//!
//! The warp reads four pixels at an address that differs from pixel to pixel but not from channel to channel. With the
//! planes interleaved, each of the four is one vector load, and adding to them in the backward pass one vector store:
//! no gather and no scatter of single numbers is left. Packing and unpacking are 8x8 transpositions in registers.

use std::mem::MaybeUninit;

use super::number::{Real, Storage};

/// Planes in a block.
pub(super) const LANES: usize = 8;

/// One pixel of a block.
pub(super) type Lanes<R> = [R; LANES];

/// The interleaved block: a map with a frame of zeros, one pixel left, right and above, two below.
///
/// A tap of a sampling position may fall one pixel outside; it then reads a zero, or adds to a pixel that nobody
/// looks at. A position further outside is sent to [`Frame::nowhere`], whose four taps are all in the frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Frame {
    /// Pixels in a row, frame included.
    pub(super) fn pitch(self) -> usize {
        self.width + 2
    }

    /// Pixels in the block, frame included.
    pub(super) fn len(self) -> usize {
        (self.height + 3) * self.pitch()
    }

    /// Pixels in the map.
    pub(super) fn plane(self) -> usize {
        self.height * self.width
    }

    /// Index of a pixel, where -1 is the frame.
    pub(super) fn at(self, y: i32, x: i32) -> u32 {
        (y + 1) as u32 * self.pitch() as u32 + (x + 1) as u32
    }

    /// Index of a cell of four zeros.
    pub(super) fn nowhere(self) -> u32 {
        self.at(self.height as i32, -1)
    }

    /// Range of the pixels of row `y` of the map.
    fn row(self, y: usize) -> std::ops::Range<usize> {
        let start = (y + 1) * self.pitch() + 1;
        start..start + self.width
    }
}

/// Interleaves up to [`LANES`] planes into a block whose frame is already zero. Lanes without a plane become zero.
#[inline(always)]
pub(super) fn pack<S: Storage>(planes: &[S], frame: Frame, block: &mut [Lanes<S::Real>]) {
    let (width, plane) = (frame.width, frame.plane());
    let full = planes.len() == LANES * plane;
    for y in 0..frame.height {
        let row = &mut block[frame.row(y)];
        let start = y * width;
        let vectors = if full { width / LANES * LANES } else { 0 };
        for x in (0..vectors).step_by(LANES) {
            let tile = load_tile(planes, plane, start + x);
            row[x..x + LANES].copy_from_slice(&tile);
        }
        for (x, pixel) in row.iter_mut().enumerate().skip(vectors) {
            *pixel = load_pixel(planes, plane, start + x);
        }
    }
}

/// The reverse of [`pack`].
#[inline(always)]
pub(super) fn unpack<S: Storage>(
    block: &[Lanes<S::Real>],
    frame: Frame,
    planes: &mut [MaybeUninit<S>],
) {
    let (width, plane) = (frame.width, frame.plane());
    let full = planes.len() == LANES * plane;
    for y in 0..frame.height {
        let row = &block[frame.row(y)];
        let start = y * width;
        let vectors = if full { width / LANES * LANES } else { 0 };
        for x in (0..vectors).step_by(LANES) {
            let tile: [Lanes<S::Real>; LANES] = row[x..x + LANES]
                .try_into()
                .expect("a tile is LANES pixels");
            store_tile(tile, planes, plane, start + x);
        }
        for (x, pixel) in row.iter().enumerate().skip(vectors) {
            store_pixel(*pixel, planes, plane, start + x);
        }
    }
}

/// Eight pixels from `index` on of eight planes.
#[inline(always)]
pub(super) fn load_tile<S: Storage>(
    planes: &[S],
    plane: usize,
    index: usize,
) -> [Lanes<S::Real>; LANES] {
    let mut tile = [Lanes::<S::Real>::default(); LANES];
    for (lane, pixels) in tile.iter_mut().enumerate() {
        let stored = &planes[lane * plane + index..][..LANES];
        for (to, from) in pixels.iter_mut().zip(stored) {
            *to = from.load();
        }
    }
    S::Real::transpose(tile)
}

/// The reverse of [`load_tile`].
#[inline(always)]
pub(super) fn store_tile<S: Storage>(
    tile: [Lanes<S::Real>; LANES],
    planes: &mut [MaybeUninit<S>],
    plane: usize,
    index: usize,
) {
    for (lane, pixels) in S::Real::transpose(tile).into_iter().enumerate() {
        let stored = &mut planes[lane * plane + index..][..LANES];
        for (to, from) in stored.iter_mut().zip(pixels) {
            to.write(S::store(from));
        }
    }
}

/// One pixel of the planes there are.
#[inline(always)]
pub(super) fn load_pixel<S: Storage>(planes: &[S], plane: usize, index: usize) -> Lanes<S::Real> {
    let mut pixel = Lanes::<S::Real>::default();
    for (to, plane) in pixel.iter_mut().zip(planes.chunks_exact(plane)) {
        *to = plane[index].load();
    }
    pixel
}

/// The reverse of [`load_pixel`].
#[inline(always)]
pub(super) fn store_pixel<S: Storage>(
    pixel: Lanes<S::Real>,
    planes: &mut [MaybeUninit<S>],
    plane: usize,
    index: usize,
) {
    for (from, plane) in pixel.into_iter().zip(planes.chunks_exact_mut(plane)) {
        plane[index].write(S::store(from));
    }
}

#[cfg(test)]
mod tests {
    use decoupled_seg_types::written;

    use super::*;

    #[test]
    fn packs_and_unpacks_any_width_and_number_of_planes() {
        for (channels, height, width) in [(8, 2, 8), (8, 3, 11), (5, 2, 9), (1, 1, 1)] {
            let frame = Frame { height, width };
            let planes: Vec<f32> = (1..=channels * height * width).map(|v| v as f32).collect();
            let mut block = vec![[0.0; LANES]; frame.len()];
            pack(&planes, frame, &mut block);
            let inside: f32 = block.iter().flatten().sum();
            assert_eq!(inside, planes.iter().sum::<f32>());
            let last = frame.at(height as i32 - 1, width as i32 - 1) as usize;
            assert_eq!(block[last][channels - 1], planes[planes.len() - 1]);
            // SAFETY: `unpack` writes every pixel of every plane.
            let back: Vec<f32> =
                unsafe { written(planes.len(), |back| unpack(&block, frame, back)) };
            assert_eq!(back, planes);
        }
    }
}
