#!/usr/bin/env python3
"""Checks exported ONNX files with `onnx.checker`, runs them in onnxruntime, and compares them with our own predictions.

    python -m venv venv && venv/bin/pip install onnx onnxruntime numpy pillow
    venv/bin/python tests/peers/onnx.py files FOLDER
    venv/bin/python tests/peers/onnx.py pictures net.onnx PICTURE.. --ours FOLDER [--labels FOLDER --ignore 11]
    venv/bin/python tests/peers/onnx.py speed net.onnx [--threads 2]
    venv/bin/python tests/peers/onnx.py quantize net.onnx PICTURE.. --to net-int8.onnx

`files` takes what `ONNX_FILES=FOLDER cargo test --test onnx -- --ignored` writes. `pictures` takes the class indices that
`decoupled-seg predict --kinds class-index` writes. Exits with 1 if anything differs.
"""

import argparse
import json
import pathlib
import sys
import time

# Python looks for `onnx` beside this file first, and would find this file.
sys.path.pop(0)

import numpy as np
import onnx
import onnxruntime
from PIL import Image

# As in the Rust tests: f32 sums in another order, as a share of the largest logit.
TOLERANCE = 1e-4


def session(path, threads=None):
    options = onnxruntime.SessionOptions()
    if threads:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def checked(path):
    """Loads a file that the checker accepts, the inferred shapes of all tensors included."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return model


def shape_of(value):
    return [dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim]


def files(args):
    """Every file of a folder is accepted, and gives the logits that lie beside it."""
    paths = sorted(pathlib.Path(args.folder).glob("*.onnx"))
    wrong, worst = [], 0.0
    for path in paths:
        model = checked(path)
        _, channels, height, width = shape_of(model.graph.output[1])
        image = np.fromfile(path.with_suffix(".image"), np.uint8).reshape(-1, height, width, 3)
        expected = np.fromfile(path.with_suffix(".logits"), np.float32).reshape(-1, channels, height, width)
        labels, logits = session(path).run(["labels", "logits"], {"image": image})
        difference = float(np.abs(logits - expected).max() / np.abs(expected).max())
        worst = max(worst, difference)
        if not difference <= TOLERANCE or not np.array_equal(labels, logits.argmax(1)):
            wrong.append(f"{path}: {difference:.1e} of the largest logit")
    print(f"{len(paths)} files accepted and run, differing by {worst:.1e} of the largest logit at most")
    return wrong or ([] if paths else [f"no file in {args.folder}"])


def read(path, size):
    image = Image.open(path).convert("RGB")
    if image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.BILINEAR)
    return np.asarray(image)


def pictures(args):
    """The labels of the file are those of our own prediction, but for ties; mean IoU of both."""
    model = checked(args.net)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    names = json.loads(metadata["class_names"])
    _, height, width, _ = shape_of(model.graph.input[0])
    net = session(args.net)
    differing = ties = pixels = 0
    matrices = {"onnxruntime": np.zeros((len(names),) * 2, np.int64), "ours": np.zeros((len(names),) * 2, np.int64)}
    for path in map(pathlib.Path, args.pictures):
        image = read(path, (height, width))
        (labels,), (logits,) = net.run(["labels", "logits"], {"image": image[None]})
        ours = np.asarray(Image.open(pathlib.Path(args.ours) / f"{path.stem}.png"))
        other = labels != ours
        two_best = np.sort(logits, 0)[-2:]
        close = two_best[1] - two_best[0] <= TOLERANCE * np.abs(logits).max()
        differing, ties, pixels = differing + other.sum(), ties + (other & close).sum(), pixels + other.size
        if args.labels:
            truth = np.asarray(Image.open(pathlib.Path(args.labels) / f"{path.stem}.png"))
            known = truth != args.ignore
            for name, found in (("onnxruntime", labels), ("ours", ours)):
                np.add.at(matrices[name], (truth[known], found[known]), 1)
    print(f"{len(args.pictures)} pictures: {differing} of {pixels} labels differ, {ties} of them ties")
    if args.labels:
        means = {name: mean_iou(matrix) for name, matrix in matrices.items()}
        print(", ".join(f"mean IoU {name} {100 * mean:.3f}" for name, mean in means.items()))
    return [f"{differing - ties} labels differ and are no ties"] if differing > ties and not args.report else []


def mean_iou(matrix):
    hits = np.diag(matrix).astype(float)
    union = matrix.sum(0) + matrix.sum(1) - hits
    return np.mean(hits[union > 0] / union[union > 0])


def speed(args):
    """Milliseconds a picture, the median of some runs."""
    model = onnx.load(args.net)
    _, height, width, channels = shape_of(model.graph.input[0])
    net = session(args.net, args.threads)
    image = np.random.default_rng(0).integers(0, 256, (1, height, width, channels), np.uint8)
    times = []
    for _ in range(args.runs + 2):
        start = time.perf_counter()
        net.run(["labels"], {"image": image})
        times.append(time.perf_counter() - start)
    times = sorted(times[2:])
    print(f"{args.net}: {1e3 * times[len(times) // 2]:.1f} ms a picture of {height}x{width} (fastest {1e3 * times[0]:.1f})")
    return []


def quantize(args):
    """Writes the file in 8 bits, its ranges from some pictures. Convolutions only: the rest costs little."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = onnx.load(args.net)
    _, height, width, _ = shape_of(model.graph.input[0])

    class Pictures(CalibrationDataReader):
        def __init__(self):
            self.images = ({"image": read(path, (height, width))[None]} for path in args.pictures)

        def get_next(self):
            return next(self.images, None)

    prepared = pathlib.Path(args.to).with_suffix(".prepared.onnx")
    quant_pre_process(args.net, prepared, skip_symbolic_shape=True)
    quantize_static(prepared, args.to, Pictures(), quant_format=QuantFormat.QDQ, per_channel=True,
                    op_types_to_quantize=["Conv"], weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8)
    prepared.unlink()
    # The quantizer forgets them.
    quantized = onnx.load(args.to)
    del quantized.metadata_props[:]
    quantized.metadata_props.extend(model.metadata_props)
    onnx.save(quantized, args.to)
    before, after = (pathlib.Path(path).stat().st_size for path in (args.net, args.to))
    print(f"{args.to}: {after / 1e6:.1f} MB instead of {before / 1e6:.1f}")
    return []


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    command = commands.add_parser("files")
    command.add_argument("folder")
    command.set_defaults(run=files)

    command = commands.add_parser("pictures")
    command.add_argument("net")
    command.add_argument("pictures", nargs="+")
    command.add_argument("--ours", required=True)
    command.add_argument("--labels")
    command.add_argument("--ignore", type=int, default=255)
    command.add_argument("--report", action="store_true", help="differences are no failure: for a quantized file")
    command.set_defaults(run=pictures)

    command = commands.add_parser("speed")
    command.add_argument("net")
    command.add_argument("--threads", type=int)
    command.add_argument("--runs", type=int, default=9)
    command.set_defaults(run=speed)

    command = commands.add_parser("quantize")
    command.add_argument("net")
    command.add_argument("pictures", nargs="+")
    command.add_argument("--to", required=True)
    command.set_defaults(run=quantize)

    args = parser.parse_args()
    wrong = args.run(args)
    for line in wrong:
        print(f"WRONG {line}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
