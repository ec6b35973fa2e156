"""How our time grows: with pixels, batch, channels, and what a second thread gains.

    python benches/peers/scaling.py [--rounds 5] [--seconds 2] [--only batch]

Runs benches/steps.rs alone, no peer. Each line is one case: processor time of one thread, that time for a pixel (for channels: for
a multiply-accumulate) beside the first case of its group, and the clock with one and with two threads. Linear growth is a 1.00;
what it costs to start the operations of a step makes small cases dearer. The threads take turns, medians of all turns.
"""

import argparse
import statistics

import beside

# A group: what grows, and cases with the size that the time should be proportional to.
GROUPS = {
    "pixels": [
        (f"{mode}/{net}/2x3x{h}x{w}", 2 * h * w)
        for mode, net, sizes in [
            ("train", "narrow", [(80, 112), (160, 224), (320, 448), (640, 896)]),
            ("folded", "fcn_resnet18_plain", [(128, 128), (256, 256), (512, 512)]),
        ]
        for h, w in sizes
    ],
    "batch": [
        (f"{mode}/{net}/{batch}x3x{h}x{w}", batch * h * w)
        for mode, net, h, w in [("train", "narrow", 160, 224), ("folded", "fcn_resnet18_plain", 128, 128)]
        for batch in (1, 2, 4, 8, 16)
    ],
    # The products of a convolution grow with the square of its channels, the rest of a step does not.
    "channels": [
        (f"{mode}/narrow{width or ''}_plain/2x3x160x224", ((width or 8) / 8) ** 2)
        for mode in ("train", "folded")
        for width in (None, 16, 32, 64)
    ],
}


def measure(program, case, rounds, seconds):
    """Processor time of one thread, and the clock with one and two, in seconds."""
    sides = {threads: beside.Side([program, case], threads) for threads in (1, 2)}
    clock, busy = {1: [], 2: []}, []
    for turn in range(rounds):
        for threads in (1, 2) if turn % 2 == 0 else (2, 1):
            times = beside.turn_of(sides[threads], seconds)
            clock[threads].append(statistics.median(wall for wall, _ in times))
            if threads == 1:
                busy.append(statistics.median(processor for _, processor in times))
    for side in sides.values():
        side.close()
    return statistics.median(busy), statistics.median(clock[1]), statistics.median(clock[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each number of threads")
    parser.add_argument("--seconds", type=float, default=2.0, help="time of a turn")
    parser.add_argument("--only", default="", help="only groups that contain this")
    parser.add_argument("--program", help="benches/steps.rs, if it is built already")
    args = parser.parse_args()
    program = beside.build(args.program)
    print("| grows | case | processor ms | for a unit | clock ms, 1 thread | 2 threads | gain |")
    print("|---|---|---:|---:|---:|---:|---:|", flush=True)
    for group, cases in GROUPS.items():
        if args.only not in group:
            continue
        first = {}
        for case, size in cases:
            busy, one, two = measure(program, case, args.rounds, args.seconds)
            mode = case.split("/")[0]
            unit = first.setdefault(mode, busy / size)
            print(
                f"| {group} | {case} | {1e3 * busy:.1f} | {busy / size / unit:.2f} | {1e3 * one:.1f} | {1e3 * two:.1f} | {one / two:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
