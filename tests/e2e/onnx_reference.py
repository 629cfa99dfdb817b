"""The reference evaluator of onnx with one operator replaced, because onnx's fails beyond 64
columns."""
import numpy
import onnx
import onnx.reference
from onnx.reference.op_run import OpRun


class GatherElements(OpRun):
    def _run(self, data, indices, axis=None):
        return (numpy.take_along_axis(data, indices, axis),)


def evaluator(path):
    return onnx.reference.ReferenceEvaluator(onnx.load(path), new_ops=[GatherElements])
