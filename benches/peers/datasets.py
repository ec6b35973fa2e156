"""Peers of the benches `targets` (of `decoupled-seg-targets`), through SciPy, and `loader` (of `decoupled-seg-datasets`),
through PyTorch and Pillow.

    python benches/peers/datasets.py targets
    python benches/peers/datasets.py loader --root target/bench-data/cityscapes [--camvid data/camvid]

Needs numpy, scipy, pillow and torch. The same work as ours: the same label map, the same augmentation (scale, pad,
crop, flip, colours, blur, in this order), two worker processes and batches of four.
"""

import argparse
import glob
import os
import random
import statistics
import time

import numpy as np
from PIL import Image, ImageEnhance
from scipy import ndimage

IGNORE = 255
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


def voronoi(side=832, classes=19):
    k = np.arange(400)
    cx, cy = (k * 7919) % side, (k * 104729) % side
    x = np.arange(side)
    labels = np.empty((side, side), np.uint8)
    for y in range(side):
        distance = (cx[None] - x[:, None]) ** 2 + (cy[None] - y) ** 2
        labels[y] = distance.argmin(1) % (classes + 1)
    labels[labels == classes] = IGNORE
    return labels


def multi_hot(labels, classes):
    """u8 [classes + 1, h, w]: the classes in the 3x3 window; outside counts as ignored."""
    h, w = labels.shape
    padded = np.full((h + 2, w + 2), classes, np.uint8)
    padded[1:-1, 1:-1] = np.where(labels == IGNORE, classes, labels)
    out = np.zeros((classes + 1, h, w), np.uint8)
    for c in range(classes + 1):
        mask = padded == c
        for dy in range(3):
            for dx in range(3):
                out[c] |= mask[dy : dy + h, dx : dx + w]
    return out


def edges(masks, radius):
    """u8 [h, w]: within `radius` of the other side of any mask, by two distance transforms for each."""
    out = np.zeros(masks.shape[1:], bool)
    for mask in masks:
        if not mask.any():
            continue
        padded = np.pad(mask, 1)
        distance = ndimage.distance_transform_edt(padded) + ndimage.distance_transform_edt(1 - padded)
        distance = distance[1:-1, 1:-1]
        out |= (distance > 0) & (distance <= radius)
    return out.astype(np.uint8)


def measure(name, run, repeats):
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    print(f"{name}: median {1e3 * statistics.median(times):.2f} ms, least {1e3 * min(times):.2f} ms", flush=True)


def targets():
    labels, classes = voronoi(), 19
    plain = np.stack([labels == c for c in range(classes)]).astype(np.uint8)
    relaxed = multi_hot(labels, classes)
    print("edge pixels: plain", edges(plain, 2).sum(), "official", edges(relaxed[:-1], 2).sum())
    measure("edge_map/plain_r2/19x832x832", lambda: edges(plain, 2), 5)
    measure("edge_map/official_r2/19x832x832", lambda: edges(relaxed[:-1], 2), 5)
    measure("relaxed_labels/multi_hot/19x832x832", lambda: multi_hot(labels, classes), 5)


def blur(image, sigma):
    array = np.asarray(image, np.float64) / 255
    array = ndimage.gaussian_filter(array, (sigma, sigma, 0), mode="nearest", truncate=4)
    return Image.fromarray((array * 255).astype(np.uint8))


def hue(image, shift):
    h, s, v = image.convert("HSV").split()
    h = Image.fromarray((np.asarray(h).astype(np.int16) + int(255 * shift)).astype(np.uint8))
    return Image.merge("HSV", (h, s, v)).convert("RGB")


class Crops:
    """A map-style data set that does the work of our loader."""

    def __init__(self, pairs, table, crop, low, colours):
        self.pairs, self.table, self.crop = pairs, table, crop
        self.low, self.colours = low, colours

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, index):
        import torch

        image_path, label_path = self.pairs[index]
        image = Image.open(image_path).convert("RGB")
        label = Image.fromarray(self.table[np.asarray(Image.open(label_path))])
        factor = random.uniform(self.low, 2.0)
        size = (int(image.width * factor), int(image.height * factor))
        image, label = image.resize(size, Image.BICUBIC), label.resize(size, Image.NEAREST)
        side = self.crop
        pad = [(side - n) // 2 + 1 if side > n else 0 for n in size]
        if any(pad):
            padded = (size[0] + 2 * pad[0], size[1] + 2 * pad[1])
            bigger = Image.new("RGB", padded)
            bigger.paste(image, tuple(pad))
            bigger_label = Image.new("L", padded, IGNORE)
            bigger_label.paste(label, tuple(pad))
            image, label = bigger, bigger_label
        x, y = random.randint(0, image.width - side), random.randint(0, image.height - side)
        image, label = (part.crop((x, y, x + side, y + side)) for part in (image, label))
        if random.random() < 0.5:
            image, label = (part.transpose(Image.FLIP_LEFT_RIGHT) for part in (image, label))
        if self.colours:
            steps = [
                lambda i: ImageEnhance.Brightness(i).enhance(random.uniform(0.75, 1.25)),
                lambda i: ImageEnhance.Contrast(i).enhance(random.uniform(0.75, 1.25)),
                lambda i: ImageEnhance.Color(i).enhance(random.uniform(0.75, 1.25)),
                lambda i: hue(i, random.uniform(-0.25, 0.25)),
            ]
            random.shuffle(steps)
            for step in steps:
                image = step(image)
            image = blur(image, 0.15 + 1.15 * random.random())
        array = (np.asarray(image, np.float32) / 255 - MEAN) / STD
        labels = np.asarray(label)
        return [torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1))), torch.from_numpy(labels.copy())]


def epochs(name, pairs, table, crop):
    from torch.utils.data import DataLoader

    for setting, low, colours in [("paper", 0.75, False), ("official", 0.5, True)]:
        items = Crops(pairs, table, crop, low, colours)
        loader = DataLoader(items, batch_size=4, shuffle=True, num_workers=2, persistent_workers=True)
        for _ in loader:  # starts the workers and fills the file cache
            pass
        times = []
        for _ in range(3):
            start = time.perf_counter()
            for _ in loader:
                pass
            times.append(time.perf_counter() - start)
        print(f"{name}/{setting}/crop{crop}: {len(pairs) / statistics.median(times):.2f} images/s", flush=True)


def loader(root, camvid):
    images = sorted(glob.glob(os.path.join(root, "leftImg8bit/train/*/*_leftImg8bit.png")))
    label = lambda path: path.replace("leftImg8bit/", "gtFine/", 1).replace("_leftImg8bit.png", "_gtFine_labelIds.png")
    table = np.full(256, IGNORE, np.uint8)
    for train_id, number in enumerate([7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]):
        table[number] = train_id
    epochs("loader/cityscapes_2048x1024", [(path, label(path)) for path in images], table, 832)
    if camvid:
        with open(os.path.join(camvid, "train.txt")) as lines:
            pairs = [tuple(os.path.join(camvid, part) for part in line.split()) for line in lines][:100]
        table = np.arange(256, dtype=np.uint8)
        table[11] = IGNORE
        epochs("loader/camvid_480x360", pairs, table, 360)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["targets", "loader"])
    parser.add_argument("--root", default="target/bench-data/cityscapes")
    parser.add_argument("--camvid")
    arguments = parser.parse_args()
    targets() if arguments.what == "targets" else loader(arguments.root, arguments.camvid)
