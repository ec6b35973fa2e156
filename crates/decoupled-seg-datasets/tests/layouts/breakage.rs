use std::fs;
use std::path::Path;

use decoupled_seg_datasets::files::{write_image, write_index_mask, write_mask};
use decoupled_seg_datasets::{DatasetError, LabelMap, ListProblem, Size};
use image::RgbImage;

use super::{HEIGHT, Layout, SIZE, WIDTH, Written};

/// One thing that can be wrong with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    NoMask,
    NoImage,
    /// `a.png` beside `a.jpg`.
    TwoImages,
    /// A further image whose name is not UTF-8.
    ImageName,
    MaskName,
    /// A link to itself.
    ImageLoop,
    MaskLoop,
    EmptyImage,
    EmptyMask,
    CutImage,
    CutMask,
    /// Text in an image file.
    NoPicture,
    NoPng,
    /// A regular file whose reading fails, for the superuser too.
    UnreadableImage,
    UnreadableMask,
    OtherSize,
    UnknownValue,
    OtherStorage,
}

impl Break {
    pub const ALL: [Self; 18] = [
        Self::NoMask,
        Self::NoImage,
        Self::TwoImages,
        Self::ImageName,
        Self::MaskName,
        Self::ImageLoop,
        Self::MaskLoop,
        Self::EmptyImage,
        Self::EmptyMask,
        Self::CutImage,
        Self::CutMask,
        Self::NoPicture,
        Self::NoPng,
        Self::UnreadableImage,
        Self::UnreadableMask,
        Self::OtherSize,
        Self::UnknownValue,
        Self::OtherStorage,
    ];

    /// Whether the layout and this system allow it.
    pub fn is_possible(self, layout: Layout) -> bool {
        match self {
            Self::TwoImages => matches!(layout, Layout::CamVid | Layout::CustomFolders),
            Self::ImageName | Self::MaskName => cfg!(target_os = "linux") && !layout.is_list(),
            Self::UnreadableImage | Self::UnreadableMask => cfg!(target_os = "linux"),
            Self::ImageLoop | Self::MaskLoop => cfg!(unix),
            _ => true,
        }
    }

    /// Whether opening the data set finds it, not only reading the item.
    pub fn shows_at_once(self) -> bool {
        matches!(
            self,
            Self::NoMask
                | Self::NoImage
                | Self::TwoImages
                | Self::ImageName
                | Self::MaskName
                | Self::ImageLoop
                | Self::MaskLoop
        )
    }

    /// Whether it costs an item.
    pub fn spoils_the_item(self) -> bool {
        !matches!(self, Self::ImageName | Self::MaskName)
    }
}

impl Written {
    /// Breaks training item `item`.
    pub fn break_item(&self, what: Break, item: usize) {
        let (image, mask) = (self.image(item), self.mask(item));
        let [image_suffix, mask_suffix] = self.layout.suffixes();
        let [sound, strange] = self.layout.values();
        match what {
            Break::NoMask => fs::remove_file(&mask).expect("there"),
            Break::NoImage => fs::remove_file(&image).expect("there"),
            Break::TwoImages => {
                let _bytes = fs::copy(&image, image.with_extension("jpeg")).expect("there");
            }
            Break::ImageName => non_utf8_sibling(&image, image_suffix),
            Break::MaskName => non_utf8_sibling(&mask, mask_suffix),
            Break::ImageLoop => replace_by_link(&image, &image),
            Break::MaskLoop => replace_by_link(&mask, &mask),
            Break::EmptyImage => fs::write(&image, "").expect("writable"),
            Break::EmptyMask => fs::write(&mask, "").expect("writable"),
            Break::CutImage => cut(&image),
            Break::CutMask => cut(&mask),
            Break::NoPicture => fs::write(&image, "<html>not found</html>").expect("writable"),
            Break::NoPng => fs::write(&mask, "<html>not found</html>").expect("writable"),
            Break::UnreadableImage => replace_by_link(&image, Path::new("/proc/self/mem")),
            Break::UnreadableMask => replace_by_link(&mask, Path::new("/proc/self/mem")),
            Break::OtherSize => self.write_mask(
                &mask,
                &LabelMap::filled(Size::new(HEIGHT, WIDTH - 1), sound),
            ),
            Break::UnknownValue => {
                let mut labels = LabelMap::filled(SIZE, sound);
                labels.data[40..45].fill(strange);
                self.write_mask(&mask, &labels);
            }
            Break::OtherStorage => {
                let labels = LabelMap::filled(SIZE, sound);
                let size = [WIDTH as u32, HEIGHT as u32];
                let written = match self.layout {
                    Layout::CamVidColors => write_mask(&mask, &labels),
                    Layout::Mapillary => {
                        let color = image::Rgb([1, 2, 3]);
                        write_image(&mask, &RgbImage::from_pixel(size[0], size[1], color))
                    }
                    _ => write_index_mask(&mask, &labels, &[[9; 3]; 256]),
                };
                written.expect("writable");
            }
        }
    }

    /// Whether an error reports this, with the file, what was found and what was expected.
    pub fn tells(&self, error: &DatasetError, what: Break, item: usize) -> bool {
        use DatasetError as E;
        let (image, mask) = (&self.image(item), &self.mask(item));
        let same_name = |path: &Path, other: &Path| path.file_stem() == other.file_stem();
        let [_, strange] = self.layout.values();
        match (what, error) {
            // A list names a file that is missing, or a link that leads nowhere.
            (Break::NoImage | Break::ImageLoop, E::List { line, problem, .. })
                if self.layout.is_list() =>
            {
                let name = image.file_name().expect("a file").to_string_lossy();
                let missing =
                    matches!(problem, ListProblem::NoImage { path, .. } if path.ends_with(&*name));
                *line == item + 1 && missing
            }
            (
                Break::NoMask,
                E::ImageWithoutLabel {
                    image: found,
                    looked_for,
                    ..
                },
            ) => found == image && same_name(looked_for, mask),
            (
                Break::MaskLoop,
                E::ImageWithoutLabel {
                    image: found,
                    looked_for,
                    ..
                },
            ) => self.layout.is_list() && found == image && same_name(looked_for, mask),
            (
                Break::NoImage,
                E::LabelWithoutImage {
                    label, looked_for, ..
                },
            ) => label == mask && same_name(looked_for, image),
            (Break::TwoImages, E::AmbiguousImage { first, second }) => {
                [first, second].contains(&image) && same_name(first, second)
            }
            (Break::ImageName, E::NonUtf8Name { path }) => path.parent() == image.parent(),
            (Break::MaskName, E::NonUtf8Name { path }) => path.parent() == mask.parent(),
            (Break::ImageLoop | Break::UnreadableImage, E::Io { path, .. }) => path == image,
            (Break::MaskLoop | Break::UnreadableMask, E::Io { path, .. }) => path == mask,
            (Break::EmptyImage, E::EmptyFile { path, .. }) => path == image,
            (Break::EmptyMask, E::EmptyFile { path, .. }) => path == mask,
            (Break::CutImage, E::Truncated { path, bytes, .. }) => {
                path == image && *bytes == fs::metadata(path).expect("there").len()
            }
            (Break::CutMask, E::Truncated { path, bytes, .. }) => {
                path == mask && *bytes == fs::metadata(path).expect("there").len()
            }
            (Break::NoPicture, E::OtherKind { path, .. }) => path == image,
            (Break::NoPng, E::OtherKind { path, .. }) => path == mask,
            (
                Break::OtherSize,
                E::SizeMismatch {
                    image: found,
                    image_size,
                    label,
                    label_size,
                },
            ) => {
                (found, label) == (image, mask)
                    && (*image_size, *label_size) == (SIZE, Size::new(HEIGHT, WIDTH - 1))
            }
            (
                Break::UnknownValue,
                E::UnknownLabel {
                    path, label, count, ..
                },
            ) => path == mask && (*label, *count) == (strange.into(), 5),
            (
                Break::UnknownValue,
                E::UnknownColor {
                    path, color, count, ..
                },
            ) => path == mask && (*color, *count) == (Layout::STRANGE, 5),
            (Break::OtherStorage, E::MaskFormat { path, .. }) => path == mask,
            _ => false,
        }
    }
}

fn cut(path: &Path) {
    let bytes = fs::read(path).expect("there");
    fs::write(path, &bytes[..bytes.len() - 20]).expect("writable");
}

#[cfg(unix)]
fn replace_by_link(path: &Path, target: &Path) {
    fs::remove_file(path).expect("there");
    std::os::unix::fs::symlink(target, path).expect("links are allowed");
}

#[cfg(unix)]
fn non_utf8_sibling(path: &Path, suffix: &str) {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let name = [b"caf\xe9", suffix.as_bytes()].concat();
    fs::copy(path, path.with_file_name(OsStr::from_bytes(&name)))
        .expect("the file system allows it");
}

#[cfg(not(unix))]
fn replace_by_link(_: &Path, _: &Path) {
    unreachable!("not possible here");
}

#[cfg(not(unix))]
fn non_utf8_sibling(_: &Path, _: &str) {
    unreachable!("not possible here");
}
