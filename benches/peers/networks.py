"""The networks of benches/networks.rs in PyTorch, for its figures to be compared with.

The same architectures with the authors' names, so that a file that this project writes can be checked as well:

    python benches/peers/networks.py [--size 512] [--threads 2] [--runs 5] [--device cpu] [--dtype f32] [--all]
    python benches/peers/networks.py --check network.safetensors --arch deeplabv3plus --backbone r50 [--plain]
    python benches/peers/networks.py --ours [--rounds 5] [--only narrow]

Prints one line a case: name, median and fastest time in milliseconds. `--check` loads a file strictly and prints how
many tensors it has. `--ours` builds our side, gives both the same weights and images, lets them take turns, checks that the
predictions agree, and prints the ratio of the medians and the memory of both; training.py does that for training.
"""

import argparse
import pathlib
import statistics
import time

import beside

import torch
import torch.nn.functional as F
from torch import nn


def up(x, size):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def conv(cin, cout, k, stride=1, dilation=1, bias=False, groups=1, padding=None):
    padding = dilation * (k // 2) if padding is None else padding
    return nn.Conv2d(cin, cout, k, stride, padding, dilation, groups, bias)


def conv_norm(cin, cout, k, relu=True, **options):
    layers = [conv(cin, cout, k, **options), nn.BatchNorm2d(cout)]
    return layers + [nn.ReLU()] if relu else layers


class Bottleneck(nn.Module):
    def __init__(self, cin, mid, stride, dilation):
        super().__init__()
        out = 4 * mid
        self.conv1, self.bn1 = conv_norm(cin, mid, 1, relu=False)
        self.conv2, self.bn2 = conv_norm(mid, mid, 3, relu=False, stride=stride, dilation=dilation)
        self.conv3, self.bn3 = conv_norm(mid, out, 1, relu=False)
        self.downsample = None
        if stride != 1 or cin != out:
            self.downsample = nn.Sequential(*conv_norm(cin, out, 1, relu=False, stride=stride))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Basic(nn.Module):
    def __init__(self, cin, mid, stride, dilation):
        super().__init__()
        self.conv1, self.bn1 = conv_norm(cin, mid, 3, relu=False, stride=stride, dilation=dilation)
        self.conv2, self.bn2 = conv_norm(mid, mid, 3, relu=False, dilation=dilation)
        self.downsample = None
        if stride != 1 or cin != mid:
            self.downsample = nn.Sequential(*conv_norm(cin, mid, 1, relu=False, stride=stride))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Deep stem, output stride 8."""

    def __init__(self, blocks, kind=Bottleneck, width=64):
        super().__init__()
        expansion = 4 if kind is Bottleneck else 1
        self.channels = (expansion * width, 8 * expansion * width)
        stem = conv_norm(3, width, 3, stride=2) + conv_norm(width, width, 3) + [conv(width, 2 * width, 3)]
        self.layer0 = nn.Sequential(
            nn.Sequential(*stem), nn.BatchNorm2d(2 * width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
        )
        cin = 2 * width
        for index, (stride, dilation) in enumerate([(1, 1), (2, 1), (1, 2), (1, 4)]):
            mid = width << index
            stage = []
            for block in range(blocks[index]):
                stage.append(kind(cin, mid, stride if block == 0 else 1, dilation))
                cin = expansion * mid
            setattr(self, f"layer{index + 1}", nn.Sequential(*stage))

    def stages(self, x):
        low = self.layer1(self.layer0(x))
        return low, self.layer4(self.layer3(self.layer2(low)))


class WideBlock(nn.Module):
    def __init__(self, cin, channels, stride, dilation):
        super().__init__()
        self.bn1 = nn.Sequential(nn.BatchNorm2d(cin), nn.ReLU())
        self.convs = nn.Sequential()
        kernels = [3, 3] if len(channels) == 2 else [1, 3, 1]
        width = cin
        for index, (k, out) in enumerate(zip(kernels, channels), start=1):
            if index > 1:
                self.convs.add_module(f"bn{index}", nn.Sequential(nn.BatchNorm2d(width), nn.ReLU()))
            options = dict(stride=stride if index == 1 else 1, dilation=dilation if k == 3 else 1)
            self.convs.add_module(f"conv{index}", conv(width, out, k, **options))
            width = out
        self.proj_conv = conv(cin, width, 1, stride=stride) if stride != 1 or cin != width else None

    def forward(self, x):
        a = self.bn1(x)
        return self.convs(a) + (x if self.proj_conv is None else self.proj_conv(a))


class WideResNet38(nn.Module):
    channels = (128, 4096)

    def __init__(self):
        super().__init__()
        self.mod1 = nn.Sequential()
        self.mod1.add_module("conv1", conv(3, 64, 3))
        table = [
            (3, [128, 128], 1, 1),
            (3, [256, 256], 1, 1),
            (6, [512, 512], 2, 1),
            (3, [512, 1024], 1, 2),
            (1, [512, 1024, 2048], 1, 4),
            (1, [1024, 2048, 4096], 1, 4),
        ]
        cin = 64
        for number, (blocks, channels, stride, dilation) in enumerate(table, start=2):
            stage = nn.Sequential()
            for block in range(1, blocks + 1):
                stage.add_module(f"block{block}", WideBlock(cin, channels, stride if block == 1 else 1, dilation))
                cin = channels[-1]
            setattr(self, f"mod{number}", stage)

    def stages(self, x):
        low = self.mod2(F.max_pool2d(self.mod1(x), 3, 2, 1))
        x = self.mod3(F.max_pool2d(low, 3, 2, 1))
        return low, self.mod7(self.mod6(self.mod5(self.mod4(x))))


class MobileNetV3(nn.Module):
    """torchvision's MobileNetV3-Large, dilated to output stride 16."""

    channels = (24, 960)

    def __init__(self):
        from torchvision.models import mobilenet_v3_large

        super().__init__()
        self.backbone = mobilenet_v3_large(weights=None, dilated=True).features

    def stages(self, x):
        for index, block in enumerate(self.backbone):
            x = block(x)
            if index == 3:
                low = x
        return low, x


class Aspp(nn.Module):
    def __init__(self, cin):
        super().__init__()
        branches = [conv_norm(cin, 256, 1)] + [conv_norm(cin, 256, 3, dilation=rate) for rate in (12, 24, 36)]
        self.features = nn.ModuleList(nn.Sequential(*branch) for branch in branches)
        self.img_conv = nn.Sequential(*conv_norm(cin, 256, 1))

    def forward(self, x):
        image = up(self.img_conv(F.adaptive_avg_pool2d(x, 1)), x.shape[2:])
        return torch.cat([image] + [branch(x) for branch in self.features], 1)


class Pyramid(nn.Module):
    def __init__(self, cin):
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(bins), *conv_norm(cin, 256, 1, relu=False)) for bins in (1, 2, 3, 6)
        )
        self.bottleneck = nn.Sequential(*conv_norm(4 * 256 + cin, 256, 1), nn.Dropout2d(0.1))

    def forward(self, x):
        return self.bottleneck(torch.cat([up(stage(x), x.shape[2:]) for stage in self.stages] + [x], 1))


class BodyEdge(nn.Module):
    def __init__(self, channels):
        super().__init__()
        step = dict(stride=2, groups=channels, bias=True, padding=0)
        self.down = nn.Sequential(*conv_norm(channels, channels, 3, **step), *conv_norm(channels, channels, 3, **step))
        self.flow_make = conv(2 * channels, 2, 3)

    def forward(self, x):
        height, width = x.shape[2:]
        flow = self.flow_make(torch.cat([x, up(self.down(x), (height, width))], 1))
        options = dict(device=x.device, dtype=x.dtype)
        ys, xs = torch.linspace(-1, 1, height, **options), torch.linspace(-1, 1, width, **options)
        grid = torch.stack(torch.meshgrid(ys, xs, indexing="ij")[::-1], -1)
        scale = torch.tensor([width, height], **options)
        grid = grid + flow.permute(0, 2, 3, 1) / scale
        body = F.grid_sample(x, grid, align_corners=True)
        return body, x - body


class SegNet(nn.Module):
    """`width` is the number of channels of the context, `fine` that of the low-level features, `edge` that of the edge
    branch."""

    def __init__(self, arch, backbone, decoupled, classes=19, width=256, fine=48, edge=48):
        super().__init__()
        trunk = {
            "r18": lambda: ResNet([2, 2, 2, 2], Basic),
            "narrow": lambda: ResNet([2, 2, 2, 2], Basic, 8),
            "r50": lambda: ResNet([3, 4, 6, 3]),
            "r101": lambda: ResNet([3, 4, 23, 3]),
            "wrn38": WideResNet38,
            "mobilenet": MobileNetV3,
        }
        trunk = trunk[backbone]()
        low, last = trunk.channels
        for name, child in trunk.named_children():
            self.add_module(name, child)
        self.stages = lambda x: type(trunk).stages(self, x)
        if arch == "fcn":
            self.fcn_head = nn.Sequential(*conv_norm(last, width, 3))
            self.context = lambda x: self.fcn_head(x)
        elif arch == "pspnet":
            self.ppm = Pyramid(last)
            self.context = lambda x: self.ppm(x)
        else:
            self.aspp, self.bot_aspp = Aspp(last), conv(1280, 256, 1)
            self.context = lambda x: self.bot_aspp(self.aspp(x))
        self.bot_fine = conv(low, fine, 1)
        self.decoupled = decoupled
        last_layers = conv_norm(width, width, 3) + [conv(width, classes, 1)]
        if decoupled:
            self.squeeze_body_edge = BodyEdge(width)
            self.edge_fusion = conv(width + fine, width, 1)
            self.edge_out = nn.Sequential(*conv_norm(width, edge, 3), conv(edge, 1, 1))
            self.dsn_seg_body = nn.Sequential(*conv_norm(width, width, 3), conv(width, classes, 1))
            self.final_seg = nn.Sequential(*conv_norm(2 * width, width, 3), *last_layers)
            if backbone == "wrn38":
                self.edge_conv = nn.Sequential(*conv_norm(1, 256, 1))  # in every checkpoint, never used
        else:
            self.final = nn.Sequential(*conv_norm(width + fine, width, 3), *last_layers)

    def decode(self, context, low, size, all_outputs=False):
        fine = self.bot_fine(low)
        if not self.decoupled:
            return up(self.final(torch.cat([fine, up(context, fine.shape[2:])], 1)), size)
        body, edge = self.squeeze_body_edge(context)
        edge = self.edge_fusion(torch.cat([up(edge, fine.shape[2:]), fine], 1))
        features = torch.cat([up(context, fine.shape[2:]), edge + up(body, fine.shape[2:])], 1)
        logits = up(self.final_seg(features), size)
        if not all_outputs:
            return logits
        return logits, up(self.dsn_seg_body(body), size), up(self.edge_out(edge), size)

    def forward(self, x, all_outputs=False):
        low, last = self.stages(x)
        return self.decode(self.context(last), low, x.shape[2:], all_outputs)


# Architecture and backbone of the networks of benches/steps.rs, and what is not as usual.
NETWORKS = {
    "narrow": ("fcn", "narrow", dict(width=32, fine=16, edge=16)),
    "fcn_resnet18": ("fcn", "r18", {}),
    "fcn_resnet50": ("fcn", "r50", {}),
    "deeplabv3plus_resnet50": ("deeplabv3plus", "r50", {}),
    "fcn_mobilenet_v3_large": ("fcn", "mobilenet", {}),
}


def network(name, weights, classes=11):
    """A network of benches/steps.rs with the weights of a file."""
    from safetensors.torch import load_file

    arch, backbone, options = NETWORKS[name.removesuffix("_plain")]
    net = SegNet(arch, backbone, not name.endswith("_plain"), classes, **options)
    net.load_state_dict(load_file(weights), strict=True)
    return net


def images(shape):
    """The images of benches/steps.rs."""
    n = torch.arange(torch.Size(shape).numel(), dtype=torch.int64)
    return (((n * 7919 + 104729) % 2003) / 2003 * 4 - 2).float().view(shape)


def timed(name, run, device, runs):
    def once():
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        return 1e3 * (time.perf_counter() - start)

    for _ in range(1 if device == "cpu" else 10):
        once()
    times = [once() for _ in range(runs)]
    print(f"{name:<64} {statistics.median(times):10.2f} {min(times):10.2f}", flush=True)


def bench(args):
    dtype = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}[args.dtype]
    device, size = args.device, args.size
    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = args.tf32
    torch.backends.cudnn.allow_tf32 = args.tf32
    torch.backends.cudnn.benchmark = True

    def random(channels, stride):
        return torch.randn(1, channels, size // stride, size // stride, device=device, dtype=dtype)

    def ready(module):
        return module.eval().to(device=device, dtype=dtype)

    def shape(x):
        return "x".join(map(str, x.shape))

    with torch.inference_mode():
        context, low, stage, images = random(256, 8), random(256, 4), random(2048, 8), random(3, 1)
        plain = ready(SegNet("fcn", "r50", False))
        head = ready(SegNet("fcn", "r50", True))
        cases = [
            (f"networks/decoder/plain/{shape(context)}", lambda: plain.decode(context, low, (size, size))),
            (f"networks/decoder/body_edge_module/{shape(context)}", lambda: head.squeeze_body_edge(context)),
            (f"networks/decoder/decoupled/{shape(context)}", lambda: head.decode(context, low, (size, size))),
            (
                f"networks/decoder/decoupled_all_outputs/{shape(context)}",
                lambda: head.decode(context, low, (size, size), all_outputs=True),
            ),
        ]
        for name, arch in (("fcn", "fcn"), ("pyramid", "pspnet"), ("aspp", "deeplabv3plus")):
            net = ready(SegNet(arch, "r50", False))
            cases.append((f"networks/context/{name}/{shape(stage)}", lambda net=net: net.context(stage)))
        backbones = [("resnet50", "r50")]
        if args.all:
            backbones += [("resnet101", "r101"), ("wide_resnet38", "wrn38")]
        for name, backbone in backbones:
            net = ready(SegNet("fcn", backbone, False))
            cases.append((f"networks/backbone/{name}/{shape(images)}", lambda net=net: net.stages(images)))
        networks = [("deeplabv3plus", "r50", "resnet50"), ("pspnet", "r50", "resnet50")]
        if args.all:
            networks += [("deeplabv3plus", "r101", "resnet101"), ("deeplabv3plus", "wrn38", "wide_resnet38")]
        for arch, backbone, name in networks:
            for decoupled in (False, True):
                net = ready(SegNet(arch, backbone, decoupled))
                label = f"networks/predict/{arch}_{name}_{'decoupled' if decoupled else 'plain'}/{shape(images)}"
                cases.append((label, lambda net=net: net(images)))
        for label, run in cases:
            timed(label, run, device, args.runs)


def check(args):
    from safetensors.torch import load_file

    tensors = load_file(args.check)
    net = SegNet(args.arch, args.backbone, not args.plain, args.classes)
    net.load_state_dict(tensors, strict=True)
    for key, value in net.state_dict().items():
        assert torch.equal(value, tensors[key]), key
    print(f"{args.check}: {len(tensors)} tensors, all of them the network's and no other")


# With `folded` our side runs its inference form, with `exact` that without Winograd's convolutions; PyTorch runs as it is.
CASES = [
    f"{mode}/{case}"
    for case in [
        "narrow_plain/8x3x160x224",
        "fcn_resnet18_plain/1x3x256x256",
        "deeplabv3plus_resnet50_plain/1x3x512x512",
        "deeplabv3plus_resnet50/1x3x512x512",
        "fcn_mobilenet_v3_large/1x3x512x512",
    ]
    for mode in ["predict", "folded", "exact"]
]


def worker(args):
    """PyTorch's side of a case of `--ours`."""
    torch.set_num_threads(args.threads)
    before = beside.memory()[1]
    _, name, shape = args.worker.split("/")
    net, x = network(name, args.weights).eval(), images([int(side) for side in shape.split("x")])
    last = None

    @torch.inference_mode()
    def step():
        nonlocal last
        last = net(x)
        return 0

    beside.serve(before, step, lambda: last)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="f32", choices=["f32", "f16", "bf16"])
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--check")
    parser.add_argument("--arch", default="deeplabv3plus", choices=["fcn", "pspnet", "deeplabv3plus"])
    parser.add_argument("--backbone", default="r50", choices=["r50", "r101", "wrn38"])
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--ours", action="store_true")
    parser.add_argument("--rounds", type=int, default=5, help="turns of both with --ours")
    parser.add_argument("--seconds", type=float, default=2.0, help="time of a turn")
    parser.add_argument("--only", default="", help="only cases that contain this")
    parser.add_argument("--program", help="our side, if it is built already")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args)
    elif args.ours:
        cases = [case for case in CASES if args.only in case]
        program = beside.build(args.program)
        # Rounding of tens of layers, with logits of order one.
        beside.table(program, __file__, cases, args.threads, args.rounds, args.seconds, tolerance=[1e-4])
    elif args.check:
        check(args)
    else:
        bench(args)


if __name__ == "__main__":
    main()
