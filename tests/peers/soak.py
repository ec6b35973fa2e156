"""Memory over a long training: `python tests/peers/soak.py target/release/decoupled-seg [steps]`.

Trains on made-up scenes with a validation every epoch and checkpoints in between, and reads the resident memory of the
process each second. Fails if the memory of the last quarter is more than 5 % above that of the second quarter.
"""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median


def resident(pid):
    """MiB, or None when the process is gone."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return None


def step_of(log):
    """Optimizer steps that the log knows."""
    try:
        lines = log.read_text().splitlines()
    except FileNotFoundError:
        return 0
    for line in reversed(lines):
        try:
            return json.loads(line).get("step", 0)
        except json.JSONDecodeError:
            pass  # the line that is being written
    return 0


def main():
    program, steps = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    with tempfile.TemporaryDirectory() as out:
        batch, images = 4, 320  # the scenes that there are
        epochs = -(-steps // (images // batch))
        command = [program, "train", "--data", "street_scenes", "--out", out, "--crop", "64x64", "--batch",
                   str(batch), "--epochs", str(epochs), "--checkpoint-every", "50"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        samples, log, start = [], Path(out) / "log.jsonl", time.monotonic()
        while process.poll() is None:
            memory = resident(process.pid)
            if memory:
                samples.append((step_of(log), memory))
            time.sleep(1)
        said = process.stdout.read()
        if process.returncode != 0:
            sys.exit(said)
        last = step_of(log)
        entries = [json.loads(line)["event"] for line in log.read_text().splitlines()]
        print(f"{last} steps, {entries.count('epoch')} epochs, {entries.count('checkpoint')} checkpoints, "
              f"{time.monotonic() - start:.0f} s")
        quarters = []
        for quarter in range(4):
            here = [memory for step, memory in samples if quarter * last / 4 < step <= (quarter + 1) * last / 4]
            quarters.append(median(here))
            print(f"steps to {(quarter + 1) * last // 4}: median {median(here):.1f} MiB, most {max(here):.1f} MiB")
        if quarters[3] > 1.05 * quarters[1]:
            sys.exit("the memory grows")


if __name__ == "__main__":
    main()
