"""What every command does on a disk that is full: `sudo python tests/peers/disk_full.py target/release/decoupled-seg`.

Each command runs into a small file system in memory (Linux, root) with less and less room. It must fail with the name of
a file and the words "no space left", or have had enough room; it must not panic; and the last whole checkpoint of the run
must still be judged afterwards.
"""
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOM = [0, 4, 16, 64, 256, 1024, 4096]  # KiB left
DISK = 64  # MiB
OFTEN = ["--checkpoint-every", "1", "--set", "checkpoints.keep_last=100"]


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=600)
    return done.returncode, done.stdout + done.stderr


def fill(disk, room):
    """Leaves `room` KiB."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    status = os.statvfs(disk)
    free = status.f_bavail * status.f_frsize
    size = max(0, free - room * 1024)
    with open(filler, "wb") as file:
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))
        file.write(bytes(size & 0xFFFFF))
    return filler


def commands(disk, camvid, cityscapes, study, photos):
    out = disk / "run"
    return {
        "train": (camvid, ["train", "--data", "camvid", "--synthetic", "--short", *OFTEN, "--resume", "--out", out]),
        "train, new run": (None, ["train", "--data", "camvid", "--synthetic", "--short", "--out", out]),
        "train, tensorboard": (None, ["train", "--data", "camvid", "--root", camvid / "synthetic", "--short",
                                      "--tensorboard", "--out", out]),
        "train, resized": (None, ["train", "--data", "camvid", "--root", camvid / "synthetic", "--short", "--resized", "0.9",
                                  "--cache", disk / "cache", "--out", out]),
        "eval": (camvid, ["eval", "--data", "camvid", "--synthetic", "--out", out]),
        "predict": (camvid, ["predict", "--data", "camvid", photos, "--out", out]),
        "predict, video": (camvid, ["predict", "--data", "camvid", "--video", disk.parent / "video.y4m", "--to",
                                    disk / "shown.y4m", "--out", out]),
        "export .safetensors": (camvid, ["export", "--data", "camvid", disk / "net.safetensors", "--out", out]),
        "export .onnx": (camvid, ["export", "--data", "camvid", disk / "net.onnx", "--size", "64x96", "--out", out]),
        "check": (camvid, ["check", "--data", "camvid", "--synthetic", "--out", out]),
        "submit": (cityscapes, ["submit", "--data", "cityscapes", "--synthetic", "--out", out]),
        "study run": (None, ["study", "run", study, "--out", out]),
        "weights new": (None, ["weights", "new", disk.parent / "net.toml", disk / "new.safetensors", "--classes", "11"]),
    }


def main():
    program = os.path.abspath(sys.argv[1])
    work = Path(tempfile.mkdtemp())
    disk = work / "disk"
    disk.mkdir()
    bad = 0
    try:
        runs = {}
        for data in ["camvid", "cityscapes"]:
            runs[data] = work / data
            code, said = run(program, "train", "--data", data, "--synthetic", "--short", *OFTEN, "--out", runs[data])
            assert code == 0, said
            # As if it had been stopped after two steps.
            for later in sorted((runs[data] / "checkpoints").glob("step-*"))[2:]:
                shutil.rmtree(later)
        study = work / "study.toml"
        study.write_text('title = "t"\nbaseline = "a"\nseeds = [1]\n[base]\ndata = "street_scenes"\n'
                         'scenes = { train = 8, val = 2, size = [64, 96] }\nrecipe = { epochs = 2 }\n'
                         '[[variants]]\nname = "a"\n[[variants]]\nname = "b"\n')
        code, said = run(program, "summary", "--network", "tiny", "--classes", "11", "--write", work / "net.toml")
        assert code == 0, said
        with open(work / "video.y4m", "wb") as video:
            video.write(b"YUV4MPEG2 W96 H64 F25:1 C420\n" + 20 * (b"FRAME\n" + bytes(96 * 64 * 3 // 2)))
        photos = runs["camvid"] / "synthetic" / "val"
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", disk], check=True)
        for name, (start, arguments) in commands(disk, runs["camvid"], runs["cityscapes"], study, photos).items():
            ends = []
            for room in ROOM:
                for entry in disk.iterdir():
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
                if start:
                    shutil.copytree(start, disk / "run")
                filler = fill(disk, room)
                code, said = run(program, *arguments)
                filler.unlink()
                errors = [line for line in said.splitlines() if line.startswith("error")]
                told = any("no space left" in line.lower() and "`" in line for line in errors)
                wrong = []
                if "panicked" in said:
                    wrong.append("panics")
                if code != 0 and not told:
                    wrong.append("does not say why")
                if start:
                    data = "camvid" if start == runs["camvid"] else "cityscapes"
                    after, why = run(program, "eval", "--data", data, "--synthetic", "--out", disk / "run")
                    if after != 0:
                        wrong.append("left no whole checkpoint: " + why.strip().splitlines()[-1])
                ends.append(f"{room} KiB {'ok' if code == 0 else 'full'}")
                if wrong:
                    bad += 1
                    print(f"WRONG {name}, {room} KiB: {'; '.join(wrong)}\n    {said.strip().splitlines()[-1:]}")
                elif code != 0 and room == ROOM[1]:
                    print(f"{name}: {errors[-1]}")
            print(f"{name}: {', '.join(ends)}")
    finally:
        subprocess.run(["umount", disk], check=False)
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(f"{bad} wrong" if bad else 0)


if __name__ == "__main__":
    main()
