"""The lines of gpu_first.sh and gpu_second.sh, and the time that each may take.

The lines of a stage run at the same time. A stage ends when all of its lines have ended or are
killed.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Line:
    name: str
    seconds: int  # 0 stands for the rest of the run
    what: str
    must: bool = False  # its failure ends the run
    elastic: bool = False  # may take the time that earlier lines have left over


UNPACK = Line("unpack", 12, "the pack into a temporary folder", must=True)
DRIVER = Line("driver", 15, "the GPU, its driver, the machine", must=True)
LDD = Line("ldd", 8, "each library that the programs need is there", must=True)
INFO = Line("info", 20, "decavox sees the GPU", must=True)
CUDNN = Line("cudnn", 10, "properties of the device as cuDNN tells them")
SMOKE = Line("smoke", 18, "cases of conv2d and linear in FP32 and BF16")
RECORDED = Line("recorded", 25, "60 steps of each model and precision with fixed algorithms: "
                "recorded or not, nodes, graph", elastic=True)
TESTS = Line("tests", 100, "every test of a device in FP32, TF32, FP16 and BF16", elastic=True)
COMPILE = Line("compile", 100, "torch.compile of two models in FP32 and BF16 into a cache",
               elastic=True)
ALONE = Line("alone", 45, "times of decavox alone: steps at batch 32 and 512, the forward pass at "
             "1 and 32", elastic=True)
TRAIN = Line("train", 55, "trainings to their end, seconds to 99 %, 20 steps against the CPU")
PROFILE = Line("profile", 55, "time of each kernel of two steps by ncu, or else of each layer")
SANITIZER = Line("sanitizer", 0, "compute-sanitizer on kernels of ours")
AGAINST = Line("against", 85, "steps at batch 32 against PyTorch: graphs, compiled", elastic=True)
INFER = Line("infer", 35, "the forward pass at batch 1 against PyTorch", elastic=True)
PREDICT = Line("predict", 25, "predictions of all recordings, repeated to 100,000 files")
FEATURES = Line("features", 20, "the front-end at batch 32 and 256 against PyTorch")
TF32 = Line("tf32", 20, "TF32 against FP32, decavox alone", elastic=True)
AGAIN = Line("again", 0, "tests that failed in the first run")

BEGIN = [[UNPACK], [DRIVER], [LDD], [INFO]]
FIRST = [*BEGIN, [CUDNN], [SMOKE], [RECORDED], [TESTS, COMPILE], [ALONE], [TRAIN], [PROFILE],
         [SANITIZER]]
SECOND = [*BEGIN, [SMOKE], [AGAINST], [INFER], [PREDICT], [FEATURES], [TF32], [AGAIN]]
# The first run if there will be no second one.
SINGLE = [*BEGIN, [CUDNN], [SMOKE], [RECORDED], [ALONE], [PROFILE], [TESTS, COMPILE], [TRAIN],
          [dataclasses.replace(AGAINST, seconds=0)]]

SECONDS = {"first": 390, "second": 280}
RESERVE = 4  # seconds of them for the report


def chosen(stages, names):
    """The stages with only these lines, after those with which every run begins."""
    left = [[line for line in stage if [line] in BEGIN or line.name in names] for stage in stages]
    return [stage for stage in left if stage]


def lines_of(stages):
    return [line for stage in stages for line in stage]
