"""Two programs that take turns: ours (benches/steps.rs) and PyTorch, each a process of its own that does a step when it is
told to. Used by training.py and networks.py, and by scaling.py for ours alone.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def build(path=None):
    """Builds our side and returns the path of its program; or `path`, if it is built already."""
    if path:
        return path
    command = ["cargo", "bench", "-p", "decoupled-seg-tests", "--bench", "steps", "--no-run", "--message-format=json"]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout
    for line in lines.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "steps":
            return message["executable"]
    raise SystemExit("cargo named no program for the bench `steps`")


class Side:
    """One of the two processes."""

    def __init__(self, command, threads):
        environment = dict(os.environ, RAYON_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads))
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process = subprocess.Popen(list(map(str, command)), env=environment, **pipes)
        assert self.process.stdout.readline().strip() == "ready", command

    def ask(self, line):
        print(line, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().split()
        if not answer:
            raise SystemExit(f"a side ended at `{line}`")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def turn_of(side, seconds):
    """Steps of one side, for some seconds: clock and processor time of each."""
    times, end = [], time.perf_counter() + seconds
    side.ask("step")
    while time.perf_counter() < end or len(times) < 2:
        wall, _, processor = map(float, side.ask("step"))
        times.append((wall, processor))
    return times


def compare(program, script, case, threads, rounds, seconds):
    """Runs both sides of a case in turns and returns a row: times, ratio, memory, how far the results are apart."""
    with tempfile.TemporaryDirectory() as folder:
        weights = pathlib.Path(folder) / "network.safetensors"
        subprocess.run([program, case, weights], check=True)
        ours = Side([program, case], threads)
        theirs = Side([sys.executable, script, "--worker", case, "--weights", weights, "--threads", threads], threads)
        sides = {"ours": ours, "pytorch": theirs}
        # The losses before and after one update: later on rounding decides which pixels are mined.
        values = {name: [float(side.ask("step")[1]) for _ in range(2)] for name, side in sides.items()}
        apart = [abs(a - b) / max(abs(b), 1e-9) for a, b in zip(values["ours"], values["pytorch"])]
        if not case.startswith("train"):
            apart = [outputs_apart(sides, pathlib.Path(folder))]
        medians, busy = {name: [] for name in sides}, {name: [] for name in sides}
        for turn in range(rounds):
            order = list(sides) if turn % 2 == 0 else list(reversed(sides))
            for name in order:
                times = turn_of(sides[name], seconds)
                for found, column in zip((medians, busy), zip(*times)):
                    found[name].append(statistics.median(column))
        memory = {name: list(map(int, side.ask("memory"))) for name, side in sides.items()}
        for side in sides.values():
            side.close()
    ratios = [b / a for a, b in zip(medians["ours"], medians["pytorch"])]
    return {
        "ours": statistics.median(medians["ours"]),
        "pytorch": statistics.median(medians["pytorch"]),
        "ratios": ratios,
        "busy": statistics.median(busy["pytorch"]) / statistics.median(busy["ours"]),
        "memory": memory,
        "apart": apart,
    }


def outputs_apart(sides, folder):
    """The largest difference of two predictions, as a share of the largest number in them."""
    import numpy

    outputs = []
    for name, side in sides.items():
        side.ask(f"save {folder / name}")
        outputs.append(numpy.fromfile(folder / name, dtype="<f4"))
    ours, theirs = outputs
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return float(abs(ours - theirs).max() / abs(theirs).max())


def table(program, script, cases, threads, rounds, seconds, tolerance):
    """Prints a row a case. Fails if the results of a case are further apart than `tolerance`, one number for each result.

    On a machine that others use too, threads that wait for each other lose more than one thread alone: there `--threads 1`
    and the ratio of the processor time tell more than the clock does.
    """
    load = os.getloadavg()[0]
    print(f"{threads} threads, {rounds} rounds in turns; load before the start {load:.1f}\n")
    print("| case | ours ms | PyTorch ms | ratio (of rounds) | of processor time | memory MiB, ours : PyTorch | apart |")
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
    for case in cases:
        row = compare(program, script, case, threads, rounds, seconds)
        used = [peak - before for peak, before in (row["memory"]["ours"], row["memory"]["pytorch"])]
        apart = ", ".join(f"{value:.1e}" for value in row["apart"])
        spread = f"{min(row['ratios']):.2f} to {max(row['ratios']):.2f}"
        print(
            f"| {case} | {1e3 * row['ours']:.1f} | {1e3 * row['pytorch']:.1f} | "
            f"**{row['pytorch'] / row['ours']:.2f}** ({spread}) | {row['busy']:.2f} | {used[0]} : {used[1]} | {apart} |",
            flush=True,
        )
        if not all(value <= most for value, most in zip(row["apart"], tolerance, strict=True)):
            raise SystemExit(f"{case}: results are {apart} apart")


def memory():
    """The most memory that this process has used, in MiB, and what it uses now."""
    status = pathlib.Path("/proc/self/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in status)
    return [int(found[name].split()[0]) // 1024 for name in ("VmHWM", "VmRSS")]


def serve(before, step, output=None):
    """PyTorch's side: does what the lines of the standard input say. `before` is the memory in use before the network was
    there, `step` does a step and returns its loss or 0, `output` gives the last prediction."""
    print("ready", flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "step":
            start, before_step = time.perf_counter(), time.process_time()
            value = step()
            print(time.perf_counter() - start, value, time.process_time() - before_step, flush=True)
        elif command == "save":
            output().numpy().astype("<f4").tofile(argument)
            print("saved", flush=True)
        else:
            print(memory()[0], before, flush=True)
