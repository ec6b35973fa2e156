"""The decoupled loss in PyTorch on the CPU, forward and backward, for benches/losses.rs to be compared with.

The same maths as `DecoupledLossConfig::new()` (default) and `::official()`, written the way one writes it in PyTorch:
fused cross entropy, `kthvalue` for the mining limit, `logsumexp` over masked logits for the relaxed loss. Targets are
made before the clock starts. Prints one line a case: name, median and fastest time in milliseconds, loss.

    python benches/peers/losses.py [--threads 2] [--runs 15]
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F

IGNORE = 255


def street(batch, classes, height, width):
    """The label map of benches/losses.rs: bands and boxes of all classes, with an ignored corner."""
    y = torch.arange(height).view(1, height, 1)
    x = torch.arange(width).view(1, 1, width)
    image = torch.arange(batch).view(batch, 1, 1)
    block = (y // 37 * 7 + x // 53 * 5 + image) % classes
    labels = torch.where((x + 2 * y) % 97 < 6, (block + 1) % classes, block)
    labels = torch.where((y < height // 16) & (x < width // 8), IGNORE, labels)
    return labels.expand(batch, height, width).contiguous()


def wave(shape, seed):
    """Logits of benches/losses.rs: no pattern, but the same everywhere."""
    n = torch.arange(torch.Size(shape).numel(), dtype=torch.int64)
    return (((n * 7919 + seed * 104729) % 2003) / 2003 * 12 - 6).float().view(shape)


def relaxed_sets(labels, classes):
    """Multi-hot [N, C, H, W] of the 3x3 window, and whether the window holds an ignored pixel."""
    index = torch.where(labels == IGNORE, classes, labels)
    hot = F.one_hot(index, classes + 1).permute(0, 3, 1, 2).float()
    hot = F.pad(hot, (1, 1, 1, 1))
    hot[:, -1, [0, -1], :] = 1
    hot[:, -1, :, [0, -1]] = 1
    hot = F.max_pool2d(hot, 3, 1) > 0
    return hot[:, :-1].contiguous(), hot[:, -1].contiguous()


def edge_map(masks, radius=2):
    """Edges of boolean masks [N, C, H, W], the frame of the picture not among them."""
    n, c, h, w = masks.shape
    edges = torch.zeros(n, h, w, dtype=torch.bool)
    for dy in range(0, radius + 1):
        for dx in range(-radius, radius + 1):
            if (dy == 0 and dx <= 0) or dy * dy + dx * dx > radius * radius:
                continue
            a = (slice(None), slice(0, h - dy), slice(max(0, -dx), w - max(0, dx)))
            b = (slice(None), slice(dy, h), slice(max(0, dx), w - max(0, -dx)))
            both = (slice(None), *a), (slice(None), *b)
            differs = (masks[:, :, a[1], a[2]] != masks[:, :, b[1], b[2]]).any(1)
            edges[a] |= differs
            edges[b] |= differs
    return edges.long()


def mined(nll, pixels, min_kept, probability=0.7):
    """Mean over the hard pixels; the losses are ranked without a gradient."""
    with torch.no_grad():
        ranked = nll.detach()[pixels]
        if ranked.numel() == 0:
            return (nll * 0).sum()
        kept = pixels
        if 0 < min_kept <= ranked.numel():
            limit = -torch.log(torch.tensor(probability))
            kth = ranked.kthvalue(ranked.numel() - min_kept + 1).values
            kept = pixels & (nll.detach() >= torch.minimum(limit, kth))
    return torch.where(kept, nll, 0).sum() / kept.sum()


def union_nll(logits, sets):
    empty = ~sets.any(1)
    inside = torch.logsumexp(logits.masked_fill(~sets, -1e30), 1)
    return torch.where(empty, 0, torch.logsumexp(logits, 1) - inside), ~empty


def plain_loss(logits, labels):
    nll = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
    return mined(nll, labels != IGNORE, labels.numel() // 64)


def default_loss(logits, body, edge, targets):
    labels, sets, _, edges = targets
    valid = labels != IGNORE
    nll = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
    pixels = labels.numel()
    segmentation = mined(nll, valid, pixels // 64)
    attention = mined(nll, valid & (torch.sigmoid(edge[:, 0]) > 0.8), pixels // 128)
    losses, counted = union_nll(body, sets)
    relaxed = losses.sum() / counted.sum()
    known = edges <= 1
    ones, zeros = (edges == 1).sum(), (edges == 0).sum()
    share = torch.where(edges == 1, zeros / (ones + zeros), ones / (ones + zeros))
    bce = F.binary_cross_entropy_with_logits(edge[:, 0], (edges == 1).float(), share * known, reduction="sum")
    return segmentation + relaxed + 20 * bce / (ones + zeros) + attention


def official_loss(logits, body, edge, targets):
    _, sets, touches_ignored, edges = targets
    # Lowest class of the window; ignored near ignored pixels.
    labels = torch.where(touches_ignored, IGNORE, sets.byte().argmax(1))
    valid = labels != IGNORE
    nll = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
    prob = torch.sigmoid(edge[:, 0])
    segmentation = mined(nll, valid, 10_000)
    attention = mined(nll, valid & (prob > 0.8), 5_000)

    losses, counted = union_nll(body, sets)
    bits = sets.sum((2, 3))
    share = bits / (bits.sum(1, keepdim=True) + touches_ignored.sum((1, 2))[:, None])
    weights = 1 + (share > 0) * (1 - share)
    count = sets.sum(1).clamp(min=1)
    factor = (1 / count).sum(0, keepdim=True)
    summed = torch.einsum("nchw,nc->nhw", sets.float(), weights)
    relaxed = ((losses * summed * factor).sum((1, 2)) / (counted.sum((1, 2)) + 1)).sum()

    ones, zeros = (edges == 1).sum(), (edges == 0).sum()
    share = torch.where(edges == 1, zeros / (ones + zeros), ones / (ones + zeros))
    bce = F.binary_cross_entropy_with_logits(prob, edges.float(), share)
    return segmentation + relaxed + 20 * bce + attention


def targets_of(name, batch, classes, height, width):
    labels = street(batch, classes, height, width)
    sets, touches_ignored = relaxed_sets(labels, classes)
    if name == "official":
        edges = edge_map(F.pad(sets, (2, 2, 2, 2)))[:, 2:-2, 2:-2]
    else:
        # Pixels are not compared with ignored ones: those take every class of the masks.
        edges = torch.zeros_like(labels)
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                if 0 < dy * dy + dx * dx <= 4:
                    other = F.pad(labels, (2, 2, 2, 2), value=IGNORE)[:, 2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width]
                    edges |= ((other != labels) & (other != IGNORE)).long()
        edges = torch.where(labels == IGNORE, IGNORE, edges)
    return labels, sets, touches_ignored, edges.contiguous()


def measure(name, loss, shape, runs):
    batch, classes, height, width = shape
    targets = targets_of(name, *shape)
    logits = wave(shape, 1).requires_grad_()
    body = wave(shape, 2).requires_grad_()
    edge = wave((batch, 1, height, width), 3).requires_grad_()
    times = []
    for run in range(runs + 3):
        for tensor in (logits, body, edge):
            tensor.grad = None
        start = time.perf_counter()
        total = loss(logits, body, edge, targets)
        total.backward()
        if run >= 3:
            times.append((time.perf_counter() - start) * 1e3)
    print(
        f"decoupled_{name}/forward_backward/{'x'.join(map(str, shape))}: median {statistics.median(times):.1f} ms, "
        f"fastest {min(times):.1f} ms, loss {total.item():.5f}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for shape in [(2, 11, 180, 240), (2, 19, 512, 512)]:
        measure("default", default_loss, shape, options.runs)
        measure("official", official_loss, shape, options.runs)


if __name__ == "__main__":
    main()
