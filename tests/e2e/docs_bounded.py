"""decavox as the commands of the pages call it in a test: with bounds, so that none takes minutes.

    docs_bounded.py BINARY ARGUMENTS...

Two epochs, two synthetic voices, measurements of 10 ms. A folder that an earlier command of the
page has trained into is removed first.
"""
import os
import shutil
import sys

EPOCHS = 2
TRAINS = ("train", "crossval")
MEASURES = ("compare", "recommend")
QUICK = ["--seconds", "0.01", "--threads", "1", "--keep_busy"]


def with_option(arguments, name, value):
    """The arguments with this value of an option, in the place of the one that they have."""
    if name not in arguments:
        return [*arguments, name, value]
    place = arguments.index(name) + 1
    return [*arguments[:place], value, *arguments[place + 1:]]


def bounded(arguments):
    command = arguments[0] if arguments else ""
    if "--help" in arguments or "--print_config" in arguments:
        return arguments
    if command in TRAINS and "--resume" in arguments:
        return with_option(arguments, "--epochs", str(EPOCHS + 1))
    if command in TRAINS:
        if "--pretrain_data" in arguments:
            arguments = [*arguments, "--set", f"pretrain.train.epochs={EPOCHS}"]
        return with_option(arguments, "--epochs", str(EPOCHS))
    if command == "synth":
        return with_option(arguments, "--voices", "2")
    return [*arguments, *QUICK] if command in MEASURES else arguments


def main():
    binary, arguments = sys.argv[1], bounded(sys.argv[2:])
    if arguments[:1] == ["train"] and "--out" in arguments:
        shutil.rmtree(arguments[arguments.index("--out") + 1], ignore_errors=True)
    os.execv(binary, [binary, *arguments])


if __name__ == "__main__":
    main()
