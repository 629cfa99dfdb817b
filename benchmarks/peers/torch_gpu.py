"""The step of torch_step.py on a GPU, in all forms that may be the fastest.

    eager              as written
    graph              the whole step captured as one CUDA graph and replayed
    graph_channels_last, graph_conv1d   the same with another order of memory, or 1-D modules
    graph_tf32         the same with products rounded to TF32, to compare with TF32 of decavox
    compile            torch.compile(mode="reduce-overhead"), with the compiler's own CUDA graphs
    graph_compile      torch.compile, and the whole step captured as one CUDA graph

FP16 and BF16 use autocast, and FP16 also GradScaler. AdamW is fused, TF32 is off except where it is
named, and cuDNN tries its algorithms. The batch lies on the device. A graph copies it into its
input, as decavox's graph does; the other forms read it in place. A time covers many steps with one
wait for the device at their end.
"""
import contextlib

import torch
from torch import nn

import twin
from on_request import timed_reports
from training import CLIP, DECAY, RATE, SMOOTHING, random_batches

BATCHES = 8
WARM_STEPS = 11

VARIANTS = {
    "eager": {},
    "graph": {"graph": True},
    "graph_channels_last": {"graph": True, "channels_last": True},
    "graph_conv1d": {"graph": True, "one_dimensional": True},
    "graph_tf32": {"graph": True, "tf32": True},
    "compile": {"compile": "reduce-overhead"},
    "graph_compile": {"graph": True, "compile": "default"},
}
DTYPES = {"fp32": None, "fp16": torch.float16, "bf16": torch.bfloat16}


def prepare(device):
    """The variants, their class and the device's name. Ends the program without a device."""
    if device == "cpu":
        return {"eager": {}, "compile": {"compile": "default"}}, GpuVariant, "cpu"
    if not torch.cuda.is_available():
        raise SystemExit("torch_step: PyTorch sees no CUDA device")
    torch.backends.cudnn.benchmark = True
    return VARIANTS, GpuVariant, torch.cuda.get_device_name(torch.device(device))


def set_tf32(on):
    torch.backends.cuda.matmul.allow_tf32 = on
    torch.backends.cudnn.allow_tf32 = on


class GpuVariant:
    def __init__(self, options, arguments, update):
        del update
        set_tf32(options.get("tf32", False))
        self.options, self.arguments = options, arguments
        self.device = torch.device(arguments.device)
        self.gpu = self.device.type == "cuda"
        memory_format = (torch.channels_last if options.get("channels_last")
                         else torch.contiguous_format)
        torch.manual_seed(1)
        model = twin.build(arguments.model, arguments.rows, arguments.frames,
                           arguments.classes, options.get("one_dimensional", False))
        if options.get("channels_last"):
            model = model.to(memory_format=memory_format)
        self.model = model.to(self.device).train(not arguments.inference)
        self.parameters = list(self.model.parameters())
        self.dtype = DTYPES[arguments.precision]
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=self.dtype is torch.float16 and not arguments.inference)
        self.optimizer = torch.optim.AdamW(
            twin.parameter_groups(self.model, DECAY), lr=RATE, fused=True,
            capturable=bool(options.get("graph")) and self.gpu)
        self.compute = self.logits if arguments.inference else self.loss
        if "compile" in options:
            self.compute = torch.compile(self.compute, mode=options["compile"])
        self.count, self.replay = 0, None
        self.features, self.targets = random_batches(arguments, BATCHES, memory_format, self.device)
        if options.get("graph"):
            self.capture()

    def autocast(self):
        if self.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def logits(self, features, targets):
        del targets
        with self.autocast():
            return self.model(features)

    def loss(self, features, targets):
        with self.autocast():
            return nn.functional.cross_entropy(self.model(features), targets,
                                               label_smoothing=SMOOTHING)

    def work(self, features, targets):
        """Makes one step, or one forward pass. Returns the loss or the logits."""
        if self.arguments.inference:
            with torch.no_grad():
                return self.compute(features, targets)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.compute(features, targets)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.parameters, CLIP, foreach=True)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    def capture(self):
        """Captures the step after a warm-up on another stream, as PyTorch's manual requires."""
        features, targets = (torch.empty_like(t[0]) for t in (self.features, self.targets))

        def copy_and_work():
            features.copy_(self.features[0])
            targets.copy_(self.targets[0])
            return self.work(features, targets)

        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_STEPS):
                copy_and_work()
        torch.cuda.current_stream().wait_stream(stream)
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.result = copy_and_work()
        self.kept = features, targets
        self.replay = graph.replay

    def step(self):
        number = self.count % BATCHES
        self.count += 1
        if self.replay is not None:
            self.replay()
            return self.result
        if self.gpu and self.options.get("compile") == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()
        return self.work(self.features[number], self.targets[number])

    def wait(self, result):
        """Waits for the device. The loss is read, as in decavox."""
        if not self.arguments.inference:
            if not torch.isfinite(result.detach()).item():
                raise FloatingPointError("the loss is not finite")
        elif self.gpu:
            torch.cuda.synchronize()

    def run(self, steps):
        """Times of --report steps each. If fewer steps are asked for, there is one time of them."""
        set_tf32(self.options.get("tf32", False))
        return timed_reports(self.step, self.wait, steps, self.arguments.report)
