"""A training step of whole networks, ours beside PyTorch: forward, loss, backward, SGD with momentum and weight decay.

    python benches/peers/training.py --ours [--rounds 5] [--threads 2] [--only narrow]

Builds our side (benches/steps.rs), gives both the same weights, images and labels, and lets them take turns. Checks that
the losses of the first two steps agree: that is forward, backward and optimizer. Prints the ratio of the medians, and the
most memory that each used beyond what it had before the network. Targets are made before the clock starts.
"""

import argparse
import pathlib

import beside
import losses
import networks
import torch

CASES = [
    "train/narrow_plain/8x3x160x224",
    "train/narrow/8x3x160x224",
    "train/fcn_resnet18_plain/1x3x256x256",
    "train/fcn_resnet50_plain/2x3x257x257",
]
CLASSES = 11


def training(name, weights, shape):
    """A step of the case `name`; returns its loss."""
    net, x = networks.network(name, weights, CLASSES).train(), networks.images(shape)
    batch, _, height, width = shape
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    if net.decoupled:
        targets = losses.targets_of("default", batch, CLASSES, height, width)
    else:
        labels = losses.street(batch, CLASSES, height, width)

    def step():
        optimizer.zero_grad()
        if net.decoupled:
            loss = losses.default_loss(*net(x, all_outputs=True), targets)
        else:
            loss = losses.plain_loss(net(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def worker(args):
    torch.set_num_threads(args.threads)
    before = beside.memory()[1]
    _, name, shape = args.worker.split("/")
    beside.serve(before, training(name, args.weights, [int(side) for side in shape.split("x")]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ours", action="store_true", help="run our side as well and print ratios")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="turns of both")
    parser.add_argument("--seconds", type=float, default=3.0, help="time of a turn")
    parser.add_argument("--only", default="", help="only cases that contain this")
    parser.add_argument("--program", help="our side, if it is built already")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args)
        return
    if not args.ours:
        parser.error("nothing to compare with: give --ours")
    cases = [case for case in CASES if args.only in case]
    # The first loss is that of one prediction. Behind one update from random weights PyTorch is 1.7e-3 away from itself on one and
    # on two threads (ResNet-50: 2.45217 and 2.44805); the narrow networks are 1e-7 to 4e-6 away from ours.
    beside.table(beside.build(args.program), __file__, cases, args.threads, args.rounds, args.seconds, tolerance=[1e-5, 5e-3])


if __name__ == "__main__":
    main()
