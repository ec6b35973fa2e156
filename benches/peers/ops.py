#!/usr/bin/env python3
"""Warp, split and resize in PyTorch, on the shapes of the criterion bench `ops`.

Needs torch:

    python -m venv venv && venv/bin/pip install torch

Time PyTorch alone, or run our bench in the same go and print the ratios:

    python benches/peers/ops.py                                   # PyTorch on the CPU, 2 threads
    python benches/peers/ops.py --ours                            # also `cargo bench -p decoupled-seg-core`
    python benches/peers/ops.py --ours --device cuda              # both on the GPU, with fusion
    python benches/peers/ops.py --ours --device cuda --features cuda --bench-name cuda-eager
    python benches/peers/ops.py --ours --device cuda --backend vulkan --features vulkan,fusion

With `--ours` the two take turns, shape by shape: what else the machine does hits both alike. Times are medians. The
training times contain the forward pass, making a gradient of ones of the result's size, and the backward pass; ours of
the split also contain the sum of its two results, since Burn starts a backward pass from one tensor.

The last column is the throughput of our forward pass as a share of that of a copy (`x + 1`) of the same map.

Our bench keeps freed memory (`decoupled_seg_core::keep_freed_memory`), PyTorch is measured as it comes; with `--keep-memory`
both keep it.
"""

import argparse
import ctypes
import json
import os
import pathlib
import statistics
import subprocess
import time

import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAPS = [(1, 256, 90, 120), (2, 256, 104, 104), (8, 256, 104, 104), (1, 256, 128, 256)]
RESIZES = [((n, c, h // 4, w // 4), (h, w)) for n, c, h, w in MAPS]
RESIZES += [((1, 19, 90, 120), (360, 480)), ((1, 256, 90, 120), (45, 60))]


def warp(features, flow):
    """The official position: flow by [width, height] on a [-1, 1] grid, corners aligned."""
    batch, _, height, width = features.shape
    like = {"dtype": features.dtype, "device": features.device}
    ys = torch.linspace(-1, 1, height, **like).view(1, height, 1).expand(batch, height, width)
    xs = torch.linspace(-1, 1, width, **like).view(1, 1, width).expand(batch, height, width)
    size = torch.tensor([width, height], **like)
    grid = torch.stack([xs, ys], dim=-1) + flow.permute(0, 2, 3, 1) / size
    return F.grid_sample(features, grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def split(features, flow):
    body = warp(features, flow)
    return body, features - body


def label(shape):
    return "x".join(map(str, shape))


def cases(device):
    """Name, label, inputs and operation of every measurement."""
    uniform = lambda shape, amount: (torch.rand(shape, device=device) * 2 - 1) * amount
    for shape in MAPS:
        batch, _, height, width = shape
        inputs = [uniform(shape, 1.0), uniform((batch, 2, height, width), 4.0)]
        yield "warp", label(shape), inputs, lambda x, flow: (warp(x, flow),)
        yield "warp_split", label(shape), inputs, split
    for shape, size in RESIZES:
        name = f"{label(shape)}_to_{label(size)}"
        resize = lambda x, size=size: (
            F.interpolate(x, size=size, mode="bilinear", align_corners=False),
        )
        yield "resize", name, [uniform(shape, 1.0)], resize


def timed(run, device, seconds):
    """Median time of `run` over that many seconds, at least five runs."""
    sync = torch.cuda.synchronize if device == "cuda" else lambda: None
    for _ in range(2):
        run()
    sync()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        run()
        sync()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def peer(inputs, operation, device, seconds):
    """PyTorch's times, forward and forward + backward."""
    with torch.no_grad():
        forward = timed(lambda: operation(*inputs), device, seconds)
    tracked = [x.clone().requires_grad_() for x in inputs]

    def train():
        for x in tracked:
            x.grad = None
        outputs = operation(*tracked)
        torch.autograd.backward(outputs, [torch.ones_like(y) for y in outputs])

    return {"forward": forward, "train": timed(train, device, seconds)}


def ours(bench, name, pass_name, case, baseline):
    """Our median from criterion for one measurement."""
    group = f"{name}/{pass_name}"
    subprocess.run(
        [bench, "--bench", "--exact", f"{group}/{case}", "--save-baseline", baseline],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
    )
    folder = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "criterion"
    path = folder / group.replace("/", "_") / case / baseline / "estimates.json"
    return json.loads(path.read_text())["median"]["point_estimate"] / 1e9


def maps_moved(name, case):
    """What a warp reads and writes, in feature maps: features, flow, body and, after a split, edge."""
    channels = int(case.split("x")[1])
    return (3 if name == "warp_split" else 2) + 2 / channels


def build(features):
    """Builds our bench and returns the path of its program."""
    command = ["cargo", "bench", "-p", "decoupled-seg-nn", "--bench", "ops", "--no-run"]
    command += ["--message-format=json"] + (["--features", features] if features else [])
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    for line in lines.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "ops":
            return message["executable"]
    raise SystemExit("cargo named no program for the bench `ops`")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--threads", type=int, default=2, help="threads of both on the CPU")
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each of PyTorch's measurements")
    parser.add_argument("--ours", action="store_true", help="also run our bench and print ratios")
    parser.add_argument("--backend", help="BURN_DEVICE of our bench, by default as the device")
    parser.add_argument("--features", help="cargo features of our bench, by default those of the device")
    parser.add_argument("--bench-name", default="peer", help="criterion baseline to save under")
    parser.add_argument("--keep-memory", action="store_true", help="PyTorch keeps freed memory too (glibc), as ours does")
    parser.add_argument("--only", default="", help="only names that contain this")
    arguments = parser.parse_args()

    if arguments.keep_memory:
        mallopt, (trim_threshold, mmap_max) = ctypes.CDLL(None).mallopt, (-1, -4)
        assert mallopt(mmap_max, 0) and mallopt(trim_threshold, -1)
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)
    backend = arguments.backend or ("cuda" if arguments.device == "cuda" else "flex")
    os.environ["BURN_DEVICE"] = backend
    features = arguments.features or ("cuda,fusion" if arguments.device == "cuda" else "")
    bench = build(features) if arguments.ours else None

    what = torch.cuda.get_device_name() if arguments.device == "cuda" else f"{arguments.threads} threads"
    print(f"PyTorch {torch.__version__}, {arguments.device} ({what})", flush=True)
    if bench:
        print(f"Ours: {backend}, {features or 'default features'}\n", flush=True)
        print("| operation | shape | pass | PyTorch ms | ours ms | ratio | of a copy |\n|---|---|---|---:|---:|---:|---:|")
    for name, case, inputs, operation in cases(arguments.device):
        if arguments.only not in f"{name}/{case}":
            continue
        for pass_name, theirs in peer(inputs, operation, arguments.device, arguments.seconds).items():
            if bench:
                own = ours(bench, name, pass_name, case, arguments.bench_name)
                share = ""
                if name.startswith("warp") and pass_name == "forward":
                    copy = ours(bench, "copy", "forward", case, arguments.bench_name)
                    share = f"{100 * (maps_moved(name, case) / own) / (2 / copy):.0f} %"
                row = f"{theirs * 1e3:.2f} | {own * 1e3:.2f} | {theirs / own:.2f} | {share}"
                print(f"| {name} | {case} | {pass_name} | {row} |", flush=True)
            else:
                print(json.dumps({"name": name, "case": case, "pass": pass_name, "seconds": theirs}), flush=True)


if __name__ == "__main__":
    main()
