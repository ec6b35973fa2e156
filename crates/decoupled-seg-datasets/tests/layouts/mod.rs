//! Every layout that a reader opens, written to disk with the names of the official archives, and ways to break it.
#![allow(dead_code, reason = "each test program uses a part")]

mod breakage;

pub use breakage::Break;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use decoupled_seg_datasets::files::{RawMask, write_image, write_index_mask, write_mask};
use decoupled_seg_datasets::{
    Annotation, Bdd100k, CamVid, CityscapesConfig, CustomDataset, DatasetError, FileDataset,
    KittiConfig, LabelFiles, LabelMap, MapillaryVersion, MapillaryVistas, Opened, Size, Split,
};
use decoupled_seg_synthetic as synthetic;
use decoupled_seg_synthetic::SyntheticConfig;
use decoupled_seg_types::CITYSCAPES_TRAIN_CITIES;
use image::RgbImage;
use tempfile::TempDir;

/// Size of all images.
pub const WIDTH: usize = 24;
pub const HEIGHT: usize = 16;
pub const SIZE: Size = Size::new(HEIGHT, WIDTH);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    CityscapesIds,
    CityscapesTrainIds,
    CityscapesCoarse,
    CamVid,
    CamVidLists,
    CamVidColors,
    Kitti,
    Bdd2020,
    Bdd2018,
    Mapillary,
    CustomFolders,
    CustomList,
}

/// Makes a test for each layout from a function of one layout.
macro_rules! for_all_layouts {
    ($($(#[$meta:meta])* fn $name:ident($layout:ident) $body:block)*) => {$(
        $(#[$meta])*
        #[rstest::rstest]
        fn $name(
            #[values(
                Layout::CityscapesIds,
                Layout::CityscapesTrainIds,
                Layout::CityscapesCoarse,
                Layout::CamVid,
                Layout::CamVidLists,
                Layout::CamVidColors,
                Layout::Kitti,
                Layout::Bdd2020,
                Layout::Bdd2018,
                Layout::Mapillary,
                Layout::CustomFolders,
                Layout::CustomList
            )]
            $layout: Layout,
        ) $body
    )*};
}
pub(crate) use for_all_layouts;

/// A layout on disk.
pub struct Written {
    pub layout: Layout,
    pub config: SyntheticConfig,
    folder: TempDir,
}

impl Layout {
    /// Writes `train` training images, 3 for validation and 2 for testing.
    pub fn write(self, train: usize) -> Written {
        let config = SyntheticConfig {
            train,
            val: 3,
            test: 2,
            size: SIZE,
            seed: 1,
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = match self {
            Self::CityscapesIds | Self::CityscapesTrainIds => synthetic::write_cityscapes,
            Self::CityscapesCoarse => synthetic::write_cityscapes_coarse,
            Self::CamVid | Self::CamVidLists => synthetic::write_camvid,
            Self::CamVidColors => synthetic::write_camvid_original,
            Self::Kitti => synthetic::write_kitti,
            Self::Bdd2020 => synthetic::write_bdd100k,
            Self::Bdd2018 => synthetic::write_bdd100k_2018,
            Self::Mapillary => synthetic::write_mapillary,
            Self::CustomFolders | Self::CustomList => synthetic::write_custom,
        };
        write(folder.path(), &config).expect("a writable folder");
        let written = Written {
            layout: self,
            config,
            folder,
        };
        written.write_lists();
        written
    }

    /// The number of training images with which each folder has two, so that one can go.
    pub fn enough(self) -> usize {
        match self {
            Self::CityscapesIds | Self::CityscapesTrainIds => 20,
            _ => 4,
        }
    }

    pub fn is_list(self) -> bool {
        matches!(self, Self::CamVidLists | Self::CustomList)
    }

    /// The split of the training images; KITTI's readers spread them over two.
    pub fn training(self) -> Split {
        if self == Self::Kitti {
            Split::TrainVal
        } else {
            Split::Train
        }
    }

    /// The endings of the names of images and masks.
    pub fn suffixes(self) -> [&'static str; 2] {
        match self {
            Self::CityscapesIds => ["_leftImg8bit.png", "_gtFine_labelIds.png"],
            Self::CityscapesTrainIds => ["_leftImg8bit.png", "_gtFine_labelTrainIds.png"],
            Self::CityscapesCoarse => ["_leftImg8bit.png", "_gtCoarse_labelIds.png"],
            Self::CamVid | Self::CamVidLists | Self::Kitti => [".png", ".png"],
            Self::CamVidColors => [".png", "_L.png"],
            Self::Bdd2018 => [".jpg", "_train_id.png"],
            Self::Bdd2020 | Self::Mapillary | Self::CustomFolders | Self::CustomList => {
                [".jpg", ".png"]
            }
        }
    }

    /// A value that the class table knows, and one that it does not. For colours they stand for
    /// [`SOUND`](Self::SOUND) and [`STRANGE`](Self::STRANGE).
    pub fn values(self) -> [u8; 2] {
        match self {
            Self::CityscapesIds | Self::CityscapesCoarse | Self::Kitti => [7, 34],
            Self::CityscapesTrainIds | Self::Bdd2020 | Self::Bdd2018 => [0, 19],
            Self::CamVid | Self::CamVidLists => [3, 12],
            Self::CamVidColors => [0, 1],
            Self::Mapillary => [0, 11],
            Self::CustomFolders | Self::CustomList => [0, 10],
        }
    }

    pub const SOUND: [u8; 3] = [128, 64, 128];
    pub const STRANGE: [u8; 3] = [1, 2, 3];
}

impl Written {
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn open(&self, split: Split) -> Result<FileDataset, DatasetError> {
        self.open_at(self.root(), split)
    }

    /// Opens the same layout at another place.
    pub fn open_at(&self, root: &Path, split: Split) -> Result<FileDataset, DatasetError> {
        self.open_partially_at(root, split).whole()
    }

    pub fn open_partially(&self, split: Split) -> Opened<FileDataset> {
        self.open_partially_at(self.root(), split)
    }

    pub fn open_partially_at(&self, root: &Path, split: Split) -> Opened<FileDataset> {
        let cityscapes = CityscapesConfig::new(root, split);
        match self.layout {
            Layout::CityscapesIds => cityscapes.open_partially(),
            Layout::CityscapesTrainIds => cityscapes
                .with_label_files(LabelFiles::LabelTrainIds)
                .open_partially(),
            Layout::CityscapesCoarse => cityscapes
                .with_annotation(Annotation::CoarseExtra)
                .open_partially(),
            Layout::CamVid | Layout::CamVidLists => CamVid::open_partially(root, split),
            Layout::CamVidColors => CamVid::open_original_partially(root, split),
            Layout::Kitti => KittiConfig::new(root, split).open_partially(),
            Layout::Bdd2020 | Layout::Bdd2018 => Bdd100k::open_partially(root, split),
            Layout::Mapillary => {
                MapillaryVistas::open_partially(root, split, MapillaryVersion::V12)
            }
            Layout::CustomFolders | Layout::CustomList => {
                CustomDataset::open_partially(root.join("dataset.toml"), split.as_str())
            }
        }
    }

    /// Training image `item`.
    pub fn image(&self, item: usize) -> PathBuf {
        let folder = match self.layout {
            Layout::CityscapesIds | Layout::CityscapesTrainIds => "leftImg8bit/train",
            Layout::CityscapesCoarse => "leftImg8bit/train_extra",
            Layout::CamVid | Layout::CamVidLists => "train",
            Layout::CamVidColors => "701_StillsRaw_full",
            Layout::Kitti => "training/image_2",
            Layout::Bdd2020 => "images/10k/train",
            Layout::Bdd2018 => "seg/images/train",
            Layout::Mapillary => "training/images",
            Layout::CustomFolders | Layout::CustomList => "images/train",
        };
        let [suffix, _] = self.layout.suffixes();
        self.root().join(folder).join(self.stem(item) + suffix)
    }

    /// The mask of training image `item`.
    pub fn mask(&self, item: usize) -> PathBuf {
        let folder = match self.layout {
            Layout::CityscapesIds | Layout::CityscapesTrainIds => "gtFine/train",
            Layout::CityscapesCoarse => "gtCoarse/train_extra",
            Layout::CamVid | Layout::CamVidLists => "trainannot",
            Layout::CamVidColors => "LabeledApproved_full",
            Layout::Kitti => "training/semantic",
            Layout::Bdd2020 => "labels/sem_seg/masks/train",
            Layout::Bdd2018 => "seg/labels/train",
            Layout::Mapillary => "training/labels",
            Layout::CustomFolders | Layout::CustomList => "masks/train",
        };
        let [_, suffix] = self.layout.suffixes();
        self.root().join(folder).join(self.stem(item) + suffix)
    }

    /// The folders of the training images and masks, with all cities.
    pub fn folders(&self) -> [PathBuf; 2] {
        let levels = if matches!(
            self.layout,
            Layout::CityscapesIds | Layout::CityscapesTrainIds | Layout::CityscapesCoarse
        ) {
            2
        } else {
            1
        };
        [self.image(0), self.mask(0)].map(|path| {
            let folder = path.ancestors().nth(levels).expect("below the root");
            folder.to_path_buf()
        })
    }

    /// The part of the path that an image and its mask share.
    fn stem(&self, item: usize) -> String {
        let city = |cities: &[&str]| {
            let city = cities[item % cities.len()];
            format!("{city}/{city}_{:06}_000019", item / cities.len())
        };
        match self.layout {
            Layout::CityscapesIds | Layout::CityscapesTrainIds => city(&CITYSCAPES_TRAIN_CITIES),
            Layout::CityscapesCoarse => city(&["augsburg", "wuppertal"]),
            Layout::CamVid | Layout::CamVidLists | Layout::CamVidColors => {
                format!("0006R0_f{:05}", 930 + 30 * item)
            }
            Layout::Kitti => format!("{item:06}_10"),
            Layout::Bdd2020 | Layout::Bdd2018 => {
                format!("{item:08x}-{:08x}", (item * 0x9E37_79B1) & 0xFFFF_FFFF)
            }
            Layout::Mapillary => format!("training_{item:05}"),
            Layout::CustomFolders | Layout::CustomList => format!("{item:04}"),
        }
    }

    /// Returns a function that puts the folders of training item `item` back into their present state.
    pub fn snapshot(&self, item: usize) -> impl Fn() + use<> {
        let files = [self.image(item), self.mask(item)].map(|path| {
            let bytes = fs::read(&path).expect("there");
            let folder = path.parent().expect("in a folder").to_path_buf();
            (path, bytes, entries(&folder), folder)
        });
        move || {
            for (path, bytes, before, folder) in &files {
                for other in entries(folder).difference(before) {
                    fs::remove_file(other).expect("ours");
                }
                // The target of a link is not ours.
                let _ = fs::remove_file(path);
                fs::write(path, bytes).expect("writable");
            }
        }
    }

    /// Writes the list of the training images, with paths from its authors' machine.
    pub fn list(&self) -> PathBuf {
        self.root().join("train.txt")
    }

    fn write_lists(&self) {
        if !self.layout.is_list() {
            return;
        }
        let line = |item: usize| {
            let [image, mask] = [self.image(item), self.mask(item)].map(|path| {
                let path = path.strip_prefix(self.root()).expect("below the root");
                format!("/SegNet/CamVid/{}", path.display())
            });
            format!("{image} {mask}\n")
        };
        let list: String = (0..self.config.train).map(line).collect();
        fs::write(self.list(), list).expect("writable");
        if self.layout == Layout::CustomList {
            let path = self.root().join("dataset.toml");
            let text = fs::read_to_string(&path).expect("just written");
            let folders = "images = \"images/train\"\nlabels = \"masks/train\"\n";
            assert!(text.contains(folders), "{text}");
            let text = text.replacen(folders, "list = \"train.txt\"\n", 1);
            fs::write(&path, text).expect("writable");
        }
    }

    /// Writes a mask of these values in the way that the layout stores masks.
    pub fn write_mask(&self, path: &Path, labels: &LabelMap) {
        let [sound, _] = self.layout.values();
        let written = match self.layout {
            Layout::CamVidColors => {
                let color = |x: u32, y: u32| {
                    let known = labels.get(x as usize, y as usize) == sound;
                    image::Rgb(if known {
                        Layout::SOUND
                    } else {
                        Layout::STRANGE
                    })
                };
                let size = [labels.width as u32, labels.height as u32];
                write_image(path, &RgbImage::from_fn(size[0], size[1], color))
            }
            Layout::Mapillary => {
                // One palette for all, as in the data set.
                let mut palette = RawMask::read(path).expect("there").palette;
                palette.resize(256, [9; 3]);
                write_index_mask(path, labels, &palette)
            }
            _ => write_mask(path, labels),
        };
        written.expect("writable");
    }
}

fn entries(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).expect("there");
    entries
        .map(|entry| entry.expect("readable").path())
        .collect()
}
