"""The networks of benches/networks.rs in PyTorch, for its figures to be compared with.

The same architectures with the authors' names, so that a file that this project writes can be checked as well:

    python benches/peers/networks.py [--size 512] [--threads 2] [--runs 5] [--device cpu] [--dtype f32] [--all]
    python benches/peers/networks.py --check network.safetensors --arch deeplabv3plus --backbone r50 [--plain]

Prints one line a case: name, median and fastest time in milliseconds. `--check` loads a file strictly and prints how
many tensors it has.
"""

import argparse
import statistics
import time

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


class ResNet(nn.Module):
    """Deep stem, output stride 8."""

    channels = (256, 2048)

    def __init__(self, blocks):
        super().__init__()
        stem = conv_norm(3, 64, 3, stride=2) + conv_norm(64, 64, 3) + [conv(64, 128, 3)]
        self.layer0 = nn.Sequential(nn.Sequential(*stem), nn.BatchNorm2d(128), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        cin = 128
        for index, (stride, dilation) in enumerate([(1, 1), (2, 1), (1, 2), (1, 4)]):
            mid = 64 << index
            stage = []
            for block in range(blocks[index]):
                stage.append(Bottleneck(cin, mid, stride if block == 0 else 1, dilation))
                cin = 4 * mid
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
    def __init__(self, arch, backbone, decoupled, classes=19):
        super().__init__()
        trunk = {"r50": lambda: ResNet([3, 4, 6, 3]), "r101": lambda: ResNet([3, 4, 23, 3]), "wrn38": WideResNet38}
        trunk = trunk[backbone]()
        low, last = trunk.channels
        for name, child in trunk.named_children():
            self.add_module(name, child)
        self.stages = lambda x: type(trunk).stages(self, x)
        if arch == "fcn":
            self.fcn_head = nn.Sequential(*conv_norm(last, 256, 3))
            self.context = lambda x: self.fcn_head(x)
        elif arch == "pspnet":
            self.ppm = Pyramid(last)
            self.context = lambda x: self.ppm(x)
        else:
            self.aspp, self.bot_aspp = Aspp(last), conv(1280, 256, 1)
            self.context = lambda x: self.bot_aspp(self.aspp(x))
        self.bot_fine = conv(low, 48, 1)
        self.decoupled = decoupled
        last_layers = conv_norm(256, 256, 3) + [conv(256, classes, 1)]
        if decoupled:
            self.squeeze_body_edge = BodyEdge(256)
            self.edge_fusion = conv(256 + 48, 256, 1)
            self.edge_out = nn.Sequential(*conv_norm(256, 48, 3), conv(48, 1, 1))
            self.dsn_seg_body = nn.Sequential(*conv_norm(256, 256, 3), conv(256, classes, 1))
            self.final_seg = nn.Sequential(*conv_norm(512, 256, 3), *last_layers)
            if backbone == "wrn38":
                self.edge_conv = nn.Sequential(*conv_norm(1, 256, 1))  # in every checkpoint, never used
        else:
            self.final = nn.Sequential(*conv_norm(256 + 48, 256, 3), *last_layers)

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

    def forward(self, x):
        low, last = self.stages(x)
        return self.decode(self.context(last), low, x.shape[2:])


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
    args = parser.parse_args()
    check(args) if args.check else bench(args)


if __name__ == "__main__":
    main()
