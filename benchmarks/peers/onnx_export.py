#!/usr/bin/env python3
"""Writes a model's twin with the weights of a checkpoint as ONNX files, for onnx_step.py.

    onnx_export.py MODEL.yaml --checkpoint FILE --batches 1,64 --out FOLDER

Writes one file FORM_BATCH.onnx for each batch size and each of PyTorch's exporters. Prints a line
of JSON with the files, and the reasons why forms could not be made.
"""
import argparse
import logging
import os
import warnings

import torch
from safetensors.numpy import load_file

import twin
from on_request import reason, say

# Only opset 23 has attention as one operator.
FORMS = {"script_17": {"dynamo": False, "opset_version": 17},
         "dynamo_23": {"dynamo": True, "opset_version": 23}}


def quiet():
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")  # about the old exporter, and about fixed sizes


def export(module, batch, rows, frames, form, path):
    torch.onnx.export(module, (torch.zeros(batch, 1, rows, frames),), path, verbose=False,
                      input_names=["features"], output_names=["logits"], **FORMS[form])


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--batches", default="1", help="sizes, a comma between")
    parser.add_argument("--forms", default=",".join(FORMS), help="a comma between")
    parser.add_argument("--out", required=True, help="folder")
    parser.add_argument("--rows", type=int, default=13)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--classes", type=int, default=10)
    return parser.parse_args()


def main():
    arguments = parse()
    quiet()
    module = twin.build(arguments.model, arguments.rows, arguments.frames, arguments.classes)
    twin.load(module, load_file(arguments.checkpoint))
    module.eval()
    files, skipped = [], {}
    for form in arguments.forms.split(","):
        for batch in arguments.batches.split(","):
            path = os.path.join(arguments.out, f"{form}_{batch}.onnx")
            try:
                export(module, int(batch), arguments.rows, arguments.frames, form, path)
                files.append(path)
            except Exception as error:  # one form less
                skipped[form] = reason(error)
    say(files=files, skipped=skipped)


if __name__ == "__main__":
    main()
