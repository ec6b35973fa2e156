#!/usr/bin/env python3
"""Segmentation metrics the way Python projects compute them, on the maps of the criterion bench `metrics`.

Needs numpy, scipy and scikit-image:

    python -m venv venv && venv/bin/pip install numpy scipy scikit-image

Time the peers alone, or run our bench in the same go and print the ratios:

    python benches/peers/metrics.py                     # peers only, one JSON line each
    python benches/peers/metrics.py --ours              # also `cargo bench -p decoupled-seg-metrics`, and a table
    python benches/peers/metrics.py --ours --repeat 5   # best of 5 for peers under a second

Every peer is written here from the definition of its metric; none is code of another project.
"""

import argparse
import json
import os
import pathlib
import subprocess
import time

import numpy as np
import scipy
import skimage
from scipy.ndimage import distance_transform_edt
from skimage.morphology import dilation, disk

HEIGHT, WIDTH, CLASSES, IGNORE = 1024, 2048, 19, 255
ROOT = pathlib.Path(__file__).resolve().parents[2]


class Lcg:
    """The generator of the criterion bench."""

    def __init__(self, state):
        self.state = state

    def below(self, bound):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % bound


def paint_ellipses(image, rng, count):
    for _ in range(count):
        cy, cx = rng.below(HEIGHT), rng.below(WIDTH)
        ry, rx = 4 + rng.below(60), 4 + rng.below(120)
        label = rng.below(CLASSES)
        y, x = np.ogrid[max(cy - ry, 0) : min(cy + ry + 1, HEIGHT), max(cx - rx, 0) : min(cx + rx + 1, WIDTH)]
        inside = (x - cx) ** 2 * ry**2 + (y - cy) ** 2 * rx**2 <= rx**2 * ry**2
        image[y[0, 0] : y[-1, 0] + 1, x[0, 0] : x[0, -1] + 1][inside] = label


def street_pair():
    """Three bands and 400 ellipses with ignored boxes; a prediction moved by (2, -3), with 100 errors."""
    rng = Lcg(2020)
    bands = np.array([10, 2, 0], np.uint8)[np.arange(HEIGHT) * 3 // HEIGHT]
    labels = np.repeat(bands[:, None], WIDTH, 1)
    paint_ellipses(labels, rng, 400)
    predictions = np.roll(labels, (2, -3), (0, 1))
    paint_ellipses(predictions, rng, 100)
    for _ in range(12):
        top, left = rng.below(HEIGHT), rng.below(WIDTH)
        labels[top : top + 40, left : left + 90] = IGNORE
    return labels, predictions


def checksum(image):
    return int((np.arange(1, image.size + 1, dtype=np.uint64) * image.ravel()).sum())


def confusion_bincount(labels, predictions):
    """Histogram of `classes * label + prediction` over the valid pixels."""
    valid = labels < CLASSES
    pairs = CLASSES * labels[valid].astype(int) + predictions[valid]
    return np.bincount(pairs, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def boundary(mask):
    """Differs from the right, lower or lower right neighbour inside the image."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    return (mask ^ padded[:-1, 1:]) | (mask ^ padded[1:, :-1]) | (mask ^ padded[1:, 1:])


def f_score(matched_predicted, predicted, matched_labelled, labelled):
    if predicted == 0 and labelled == 0:
        return None
    precision = matched_predicted / predicted if predicted else 1.0
    recall = matched_labelled / labelled if labelled else 1.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary_f(labels, predictions, near):
    """Mean over classes; `near(boundary)` marks the pixels within the radius of a boundary."""
    valid = labels != IGNORE
    scores = []
    for c in range(CLASSES):
        labelled, predicted = boundary((labels == c) & valid), boundary((predictions == c) & valid)
        score = f_score(
            int((predicted & near(labelled)).sum()),
            int(predicted.sum()),
            int((labelled & near(predicted)).sum()),
            int(labelled.sum()),
        )
        scores.append(score)
    return float(np.mean([score for score in scores if score is not None]))


def boundary_f_disk(labels, predictions, radius):
    """Dilation with a disk, as video and segmentation benchmarks do it."""
    footprint = disk(radius)
    return boundary_f(labels, predictions, lambda b: dilation(b.astype(np.uint8), footprint).astype(bool))


def boundary_f_edt(labels, predictions, radius):
    """A distance transform per class and map: exact, and independent of the radius."""
    return boundary_f(
        labels, predictions, lambda b: distance_transform_edt(~b) <= radius if b.any() else np.zeros_like(b)
    )


def boundary_iou_edt(labels, predictions, width):
    """Mean over classes; inner bands from a distance transform per class and map."""
    valid = labels != IGNORE
    scores = []
    for c in range(CLASSES):
        band = []
        for image in (labels, predictions):
            mask = (image == c) & valid
            band.append(mask & (distance_transform_edt(mask) <= width) if mask.any() else mask)
        union = int((band[0] | band[1]).sum())
        if union:
            scores.append(int((band[0] & band[1]).sum()) / union)
    return float(np.mean(scores))


def trimap_iou_edt(labels, predictions, width):
    """Mean IoU of the pixels near another label; a distance transform per class."""
    band = np.zeros(labels.shape, bool)
    for c in np.unique(labels):
        mask = labels == c
        band |= mask & (distance_transform_edt(mask) <= width)
    counts = confusion_bincount(labels[band], predictions[band])
    hits = counts.diagonal()
    union = counts.sum(0) + counts.sum(1) - hits
    return float(np.mean(hits[union > 0] / union[union > 0]))


# Name of our bench, peer, how it is called.
PEERS = [
    ("confusion/19x1024x2048", "numpy.bincount", confusion_bincount, ()),
    ("boundary_f/19x1024x2048/r3", "scikit-image disk dilation", boundary_f_disk, (3,)),
    ("boundary_f/19x1024x2048/r12", "scikit-image disk dilation", boundary_f_disk, (12,)),
    ("boundary_f/19x1024x2048/r3", "scipy distance transform", boundary_f_edt, (3,)),
    ("boundary_f/19x1024x2048/r12", "scipy distance transform", boundary_f_edt, (12,)),
    ("boundary_iou/19x1024x2048/r12", "scipy distance transform", boundary_iou_edt, (12,)),
    ("trimap_iou/19x1024x2048/r12", "scipy distance transform", trimap_iou_edt, (12,)),
]


def best_time(call, repeat):
    """Best of `repeat`, or a single run for what takes over a second. Returns seconds and the result.

    Processor time: the peers use one thread, so this is what they take on an idle machine, whatever else runs here.
    """
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        result = call()
        best = min(best, time.process_time() - start)
        if best > 1:
            break
    return best, result


def our_times(target):
    """Fastest sample in seconds (wall clock) by bench name, from the files that criterion wrote."""
    times = {}
    for path in (target / "criterion" / "metrics").glob("*/new/benchmark.json"):
        name = json.loads(path.read_text())["function_id"]
        samples = json.loads(path.with_name("sample.json").read_text())
        times[name] = min(t / n for t, n in zip(samples["times"], samples["iters"])) * 1e-9
    return times


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", action="store_true", help="run our bench first and print ratios")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()

    ours = {}
    if options.ours:
        subprocess.run(["cargo", "bench", "-p", "decoupled-seg-metrics"], cwd=ROOT, check=True)
        ours = our_times(pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")))

    labels, predictions = street_pair()
    versions = dict(numpy=np.__version__, scipy=scipy.__version__, skimage=skimage.__version__)
    print(json.dumps(dict(checksums=[checksum(labels), checksum(predictions)], cpus=os.cpu_count(), **versions)))
    rows = []
    for name, peer, function, arguments in PEERS:
        seconds, result = best_time(lambda: function(labels, predictions, *arguments), options.repeat)
        record = dict(bench=name, peer=peer, seconds=round(seconds, 5))
        if isinstance(result, float):
            record["result"] = result
        print(json.dumps(record), flush=True)
        rows.append((name, peer, seconds))
    if ours:
        print("\n| bench | peer | peer, ms | ours, ms | ratio |\n|---|---|---|---|---|")
        for name, peer, seconds in rows:
            own = ours[name]
            print(f"| `{name}` | {peer} | {seconds * 1e3:.1f} | {own * 1e3:.2f} | {seconds / own:.0f}x |")
        print("\n| bench | ours, ms |\n|---|---|")
        for name in sorted(ours):
            print(f"| `{name}` | {ours[name] * 1e3:.2f} |")


if __name__ == "__main__":
    main()
