#!/usr/bin/env python3
"""Reads weights that our programs wrote with Python's `safetensors`, and compares names, shapes and values.

    python -m venv venv && venv/bin/pip install torch safetensors numpy
    venv/bin/python tests/peers/weights.py [--command target/release/examples/weights]

Exits with 1 if anything differs.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import torch
from safetensors.torch import load_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests/fixtures"
NETWORKS = {
    "fcn-resnet50": "fcn_r50",
    "pspnet-resnet50": "pspnet_r50",
    "deeplabv3plus-resnet50": "deeplabv3plus_r50",
    "deeplabv3plus-resnet101": "deeplabv3plus_r101",
    "deeplabv3plus-wide-resnet38": "deeplabv3plus_wrn38",
}


def expected(case):
    """Name to shape, of the authors' code."""
    listed = json.loads((FIXTURES / "model_keys" / f"{case}.json").read_text())
    return {name: tuple(shape) for name, shape, _ in listed["state_dict"]}


def written(command, folder):
    """Differences between new networks and the lists of names."""
    for network, case in NETWORKS.items():
        for plain in (False, True):
            path = folder / "new.safetensors"
            subprocess.run([*command, "new", network, path, *(["--plain"] if plain else [])], check=True,
                           stdout=subprocess.DEVNULL)
            shapes = {name: tuple(tensor.shape) for name, tensor in load_file(path).items()}
            wanted = expected(f"{case}_{'plain' if plain else 'decoupled'}")
            same = shapes == wanted
            print(f"{network}{' plain' if plain else ''}: {len(shapes)} tensors, {'same' if same else 'DIFFERENT'}")
            if not same:
                yield from sorted(set(shapes.items()) ^ set(wanted.items()))[:8]


def converted(command, folder):
    """Differences between PyTorch's reading of a checkpoint and of what we made of it."""
    for name in ("interop_checkpoint.pth", "interop_checkpoint_legacy.pth", "interop_bare_state.pth"):
        path = folder / "converted.safetensors"
        subprocess.run([*command, "convert", FIXTURES / name, path], check=True, stdout=subprocess.DEVNULL)
        theirs = torch.load(FIXTURES / name, map_location="cpu", weights_only=False)
        theirs = theirs.get("state_dict", theirs)
        theirs = {key.removeprefix("module."): value for key, value in theirs.items()}
        ours = {key.removeprefix("module."): value for key, value in load_file(path).items()}
        same = ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
        print(f"{name}: {len(ours)} tensors, {'bit-identical' if same else 'DIFFERENT'}")
        if not same:
            yield name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", help="the program; by default it is built")
    args = parser.parse_args()
    command = [args.command] if args.command else ["cargo", "run", "--quiet", "--release", "--example", "weights", "--"]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        wrong = [*written(command, folder), *converted(command, folder)]
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
