"""Compares our Cityscapes scores with those of the benchmark's own program.

    pip install cityscapesScripts==2.3.0
    python tests/peers/cityscapes.py

Draws random ground truth and predictions in the layout and the encodings of Cityscapes, scores them with
`cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling` and with `cityscapes -- score`, and compares IoU and iIoU of
every class and category and their means: as both programs print them, digit by digit, and as both write them to JSON.
Ends with 1 and a list if anything differs.
"""
import argparse
import json
import math
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

import numpy
from cityscapesscripts.helpers.labels import category2labels, id2label, labels
from PIL import Image

CARGO = "cargo run --quiet --example cityscapes --"
# JSON has all digits; the two programs add up the instances of several images in another order.
TOLERANCE = 1e-12
# numpy 2.4 has no `in1d` any more, which the program of 2.3.0 still calls.
OFFICIAL = """
import numpy
numpy.in1d = getattr(numpy, "in1d", numpy.isin)
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as program
print("C extension:", program.CSUPPORT)
program.main()
"""
IDS = [label.id for label in labels if label.id >= 0]


def region(rng, height, width):
    """The pixels of a random rectangle or ellipse; some are a single pixel, some lie partly outside."""
    y, x = numpy.mgrid[:height, :width]
    centre_y, centre_x = rng.integers(-8, height + 8), rng.integers(-8, width + 8)
    half = numpy.maximum(0.5, numpy.array([height, width]) * rng.beta(1, 6, 2) / 2)
    dy, dx = numpy.abs(y - centre_y) / half[0], numpy.abs(x - centre_x) / half[1]
    return (numpy.maximum(dy, dx) < 1) if rng.random() < 0.5 else (dy**2 + dx**2 < 1)


def ground_truth(rng, size, ids):
    """Label ids and instance ids as `createInstanceImage` writes them: `1000 * id + n`, the id alone for groups."""
    label_ids = numpy.full(size, rng.choice(ids), numpy.uint8)
    if id2label[int(label_ids[0, 0])].hasInstances:
        label_ids[:] = 0
    instance_ids = label_ids.astype(numpy.uint16)
    counts = dict.fromkeys(ids, 0)
    for _ in range(120):
        label = int(rng.choice(ids))
        # License plates, id -1, are left out of both files: what is below stays.
        mask = region(rng, *size)
        if rng.random() < 0.1:
            # Objects behind a pole come in two parts.
            mask |= region(rng, *size)
        label_ids[mask] = label
        group = rng.random() < 0.15
        if id2label[label].hasInstances and not group:
            instance_ids[mask] = 1000 * label + counts[label]
            counts[label] += 1
        else:
            instance_ids[mask] = label
    return label_ids, instance_ids


def prediction(rng, label_ids, ids):
    """The ground truth, moved by some pixels, with wrong regions and single wrong pixels, ignored labels among them."""
    predicted = numpy.roll(label_ids, rng.integers(-4, 5, 2), (0, 1))
    for _ in range(25):
        predicted[region(rng, *label_ids.shape)] = rng.choice(ids)
    wrong = rng.random(label_ids.shape) < 0.05
    predicted[wrong] = rng.choice(ids, wrong.sum())
    return predicted


def write(folder, case):
    """Writes a case to `folder/data` and `folder/results`; as in practice, some predictions are in sub-folders."""
    rng = numpy.random.default_rng(case["seed"])
    for index in range(case["images"]):
        city = ["frankfurt", "lindau", "munster"][index % 3]
        name = f"{city}_{index // 3:06}_{int(rng.integers(1000000)):06}"
        label_ids, instance_ids = ground_truth(rng, case["size"], case["labelled"])
        predicted = prediction(rng, label_ids, case["predicted"]) if case["predicted"] else label_ids
        truth = folder / "data" / "gtFine" / "val" / city
        results = folder / "results" / (city if index % 2 else "")
        for path in (truth, results):
            path.mkdir(parents=True, exist_ok=True)
        Image.fromarray(label_ids).save(truth / f"{name}_gtFine_labelIds.png")
        Image.fromarray(instance_ids).save(truth / f"{name}_gtFine_instanceIds.png")
        Image.fromarray(predicted).save(results / f"{name}_leftImg8bit.png")


def official(folder):
    """What the benchmark's program prints and writes, both as `{(kind, name): (iou, iiou)}`."""
    paths = {
        "CITYSCAPES_DATASET": folder / "data",
        "CITYSCAPES_RESULTS": folder / "results",
        "CITYSCAPES_EXPORT_DIR": folder,
    }
    environment = os.environ | {key: str(path) for key, path in paths.items()}
    run = subprocess.run([sys.executable, "-c", OFFICIAL], env=environment, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stdout + run.stderr)
    printed, kind = {}, None
    for line in run.stdout.splitlines():
        if title := re.match(r"(classes|categories)\s+IoU\s+nIoU", line):
            kind = {"classes": "class", "categories": "category"}[title[1]]
        elif row := kind and re.match(r"(.+?)\s*:\s+(\S+)\s+(\S+)$", line):
            printed[kind, "mean" if row[1] == "Score Average" else row[1]] = (row[2], row[3])
    data = json.loads((folder / "resultPixelLevelSemanticLabeling.json").read_text())
    written = {
        ("class", "mean"): (data["averageScoreClasses"], data["averageScoreInstClasses"]),
        ("category", "mean"): (data["averageScoreCategories"], data["averageScoreInstCategories"]),
    }
    for kind, plain, instances in [("class", "classScores", "classInstScores"), ("category", "categoryScores", "categoryInstScores")]:
        for name, score in data[plain].items():
            if not ignored(kind, name):
                written[kind, name] = (score, data[instances][name])
    return printed, written


def ignored(kind, name):
    members = [label for label in labels if label.name == name] if kind == "class" else category2labels[name]
    return all(label.ignoreInEval for label in members)


def ours(command, folder):
    """What our program prints (in per cent) and writes, in the same form."""
    arguments = ["score", "--root", folder / "data", "--split", "val", "--predictions", folder / "results", "--json", folder / "ours.json"]
    run = subprocess.run([*shlex.split(command), *map(str, arguments)], capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stdout + run.stderr)
    printed, kind = {}, None
    for line in run.stdout.splitlines():
        if title := re.match(r"(class|category)\s+IoU\s+iIoU", line):
            kind = title[1]
        elif row := kind and re.match(r"(.+?)\s+([\d.]+|-)\s+([\d.]+|-)$", line):
            printed[kind, row[1]] = (row[2], row[3])
    data = json.loads((folder / "ours.json").read_text())
    written = {}
    for kind, rows, mean in [("class", "classes", "class_mean"), ("category", "categories", "category_mean")]:
        for row in [*data[rows], data[mean]]:
            written[kind, row["name"]] = tuple(math.nan if row[key] is None else row[key] for key in ("iou", "iiou"))
    return printed, written


def compare(name, theirs, our):
    """Prints and returns what differs."""
    (their_text, their_value), (our_text, our_value) = theirs, our
    keys = {"theirs, printed": their_text, "theirs, JSON": their_value, "ours, printed": our_text, "ours, JSON": our_value}
    differences = [f"{what}: other rows, {set(rows) ^ set(their_value)}" for what, rows in keys.items() if set(rows) != set(their_value)]
    if differences:
        print(f"{name}: {differences}")
        return differences, 0, 0.0
    figures, worst = 0, 0.0
    for key, pair in their_value.items():
        for column, theirs_exact in enumerate(pair):
            ours_exact = our_value[key][column]
            if math.isnan(theirs_exact) and math.isnan(ours_exact):
                expected, same = ("nan", "-"), True
            else:
                # The figure at the other program's digits, from the other one's JSON.
                expected = (f"{ours_exact:.3f}", f"{100 * theirs_exact:.2f}")
                same = abs(theirs_exact - ours_exact) <= TOLERANCE
                worst = max(worst, abs(theirs_exact - ours_exact))
            found = (their_text[key][column], our_text[key][column])
            figures += 1
            if expected != found or not same:
                differences.append(f"{key} {['IoU', 'iIoU'][column]}: theirs {theirs_exact} {found[0]}, ours {ours_exact} {found[1]}")
    for difference in differences:
        print(f"{name}: {difference}")
    return differences, figures, worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", default=CARGO, help="our program, up to `score` (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3, help="data sets with all labels to draw")
    parser.add_argument("--show", action="store_true", help="print the table of the first data set")
    arguments = parser.parse_args()
    # Without trains, buses and riders anywhere; and predicted where none is labelled.
    few = [0, 4, 7, 8, 9, 11, 17, 18, 21, 23, 24, 26, 29, 33]
    cases = {f"seed {seed}": {"seed": seed, "images": 7, "size": (256, 512), "labelled": IDS, "predicted": IDS} for seed in range(arguments.seeds)}
    cases["few classes"] = {"seed": 100, "images": 3, "size": (96, 128), "labelled": few, "predicted": few}
    cases["predicted, but not labelled"] = {"seed": 101, "images": 3, "size": (96, 128), "labelled": few, "predicted": IDS}
    cases["labelled, but not predicted"] = {"seed": 102, "images": 3, "size": (96, 128), "labelled": IDS, "predicted": [7, 11, 26]}
    cases["perfect"] = {"seed": 103, "images": 2, "size": (33, 65), "labelled": IDS, "predicted": None}
    cases["void only"] = {"seed": 104, "images": 1, "size": (16, 16), "labelled": [0, 3], "predicted": [7, 26]}
    failed = False
    for name, case in cases.items():
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            write(folder, case)
            theirs, our = official(folder), ours(arguments.command, folder)
        if arguments.show:
            arguments.show = False
            print(f"{'':24}{'theirs':>16}{'ours':>16}")
            for key, (iou, iiou) in theirs[0].items():
                print(f"{' '.join(key):24}{iou:>8}{iiou:>8}{our[0][key][0]:>8}{our[0][key][1]:>8}")
        differences, figures, worst = compare(name, theirs, our)
        failed |= bool(differences)
        print(f"{name}: {len(differences)} of {figures} figures differ; largest difference in JSON {worst:.1e}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
