"""Trees of 20,000 files in five layouts, with every third label missing, renamed or of another name: how long `check` takes.

    python tests/peers/trees.py /tmp/trees target/release/decoupled-seg

The files are hard links to two tiny pictures, so the disk needs inodes and hardly any space. Prints, for each layout, the
time to the first message, the time of the whole check, its time on all cores together, and the lines of its report.
"""
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image

IMAGES = 10_000
SHARES = {"train": 8_000, "val": 1_500, "test": 500}


class Tree:
    """A folder to link the two pictures into."""

    def __init__(self, root):
        self.root = Path(root)
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        grey = Image.new("RGB", (16, 16), (90, 90, 90))
        grey.save(self.root / "i.png")
        grey.save(self.root / "i.jpg")
        Image.new("L", (16, 16), 7).save(self.root / "l.png")
        self.folders = set()

    def put(self, picture, path):
        path = self.root / path
        if path.parent not in self.folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.folders.add(path.parent)
        os.link(self.root / picture, path)

    def label(self, number, right, wrong):
        """Of three labels one is missing or goes by another name."""
        if number % 3:
            self.put("l.png", right)
        elif number % 2:
            self.put("l.png", wrong)


def write(tree):
    cities = {"train": ["aachen", "bremen", "ulm"], "val": ["lindau", "munster"], "test": ["berlin"]}
    vistas = {"train": "training", "val": "validation", "test": "testing"}
    for split, share in SHARES.items():
        for n in range(share):
            city = cities[split][n % len(cities[split])]
            key = f"{city}_{n:06}_000019"
            tree.put("i.png", f"cityscapes/leftImg8bit/{split}/{city}/{key}_leftImg8bit.png")
            truth = f"cityscapes/gtFine/{split}/{city}/{key}"
            tree.label(n, f"{truth}_gtFine_labelIds.png", f"{truth}x_gtFine_labelIds.png")

            frame = f"0006R0_f{n:05}"
            tree.put("i.png", f"camvid/{split}/{frame}.png")
            tree.label(n, f"camvid/{split}annot/{frame}.png", f"camvid/{split}annot/{frame}_L.png")

            frame = f"{n:08x}-{n:08x}"
            tree.put("i.jpg", f"bdd100k/images/10k/{split}/{frame}.jpg")
            if split != "test":
                masks = f"bdd100k/labels/sem_seg/masks/{split}/{frame}"
                tree.label(n, f"{masks}.png", f"{masks}_train_id.png")

            folder, frame = vistas[split], f"{split}_{n:05}"
            tree.put("i.jpg", f"mapillary/{folder}/images/{frame}.jpg")
            if split != "test":
                labels = f"mapillary/{folder}/v1.2/labels/{frame}"
                tree.label(n, f"{labels}.png", f"{labels}.jpg")
    names = [*(f"class {n}" for n in range(8)), "Unlabeled"]
    labels = [{"name": name, "readable": name, "color": [n, n, n], "instances": False, "evaluate": True}
              for n, name in enumerate(names)]
    config = {"labels": labels, "version": 1.2, "mapping": "public", "folder_structure": {}}
    (tree.root / "mapillary/config_v1.2.json").write_text(json.dumps(config))
    for n in range(IMAGES):
        tree.put("i.png", f"kitti/training/image_2/{n:06}_10.png")
        labels = f"kitti/training/semantic/{n:06}"
        tree.label(n, f"{labels}_10.png", f"{labels}_11.png")


def check(program, data, root, out):
    """Seconds to the first line, seconds of all, seconds of the cores, lines of the report."""
    command = [program, "check", "--data", data, "--root", root, "--out", out, "--overlays", "0"]
    start, before = time.monotonic(), os.times()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    first, lines = None, 0
    for _ in process.stdout:
        first = first or time.monotonic() - start
        lines += 1
    process.wait()
    after = os.times()
    cores = after.children_user + after.children_system - before.children_user - before.children_system
    return first, time.monotonic() - start, cores, lines


def main():
    root, program = sys.argv[1:3]
    tree = Tree(root)
    write(tree)
    print(f"{'layout':<12} {'files':>6} {'first message':>14} {'whole check':>12} {'on cores':>9} {'lines':>6}")
    for data in ["cityscapes", "camvid", "kitti", "bdd100k", "mapillary"]:
        folder = tree.root / data
        files = sum(len(names) for _, _, names in os.walk(folder))
        first, whole, cores, lines = check(program, data, folder, tree.root / "out" / data)
        print(f"{data:<12} {files:>6} {first:>12.2f} s {whole:>10.2f} s {cores:>7.2f} s {lines:>6}")


if __name__ == "__main__":
    main()
