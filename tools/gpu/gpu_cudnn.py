#!/usr/bin/env python3
"""Prints the properties of a device in cuDNN's JSON, from which cuDNN computes its heuristics for
the device on a machine without it.

    gpu_cudnn.py [DEVICE]

DEVICE is the number of a GPU, by default 0. The exit status is 1 if cuDNN cannot tell.
"""
import ctypes
import sys

DESCRIPTOR = 38  # CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR
DEVICE_ID, JSON = 2700, 2702  # CUDNN_ATTR_DEVICEPROP_DEVICE_ID, ..._JSON_REPRESENTATION
INT32, CHAR = 23, 24  # CUDNN_TYPE_INT32, CUDNN_TYPE_CHAR
GOOD = 0


def load():
    try:
        library = ctypes.CDLL("libcudnn.so.9")
    except OSError as error:
        sys.exit(f"libcudnn.so.9: {error}")
    library.cudnnGetErrorString.restype = ctypes.c_char_p
    return library


def call(library, name, *arguments):
    status = getattr(library, name)(*arguments)
    if status != GOOD:
        sys.exit(f"{name}: {library.cudnnGetErrorString(status).decode()}")


def properties(library, device):
    descriptor, number = ctypes.c_void_p(), ctypes.c_int32(device)
    call(library, "cudnnBackendCreateDescriptor", DESCRIPTOR, ctypes.byref(descriptor))
    call(library, "cudnnBackendSetAttribute", descriptor, DEVICE_ID, INT32, ctypes.c_int64(1),
         ctypes.byref(number))
    call(library, "cudnnBackendFinalize", descriptor)
    size = ctypes.c_int64()
    call(library, "cudnnBackendGetAttribute", descriptor, JSON, CHAR, ctypes.c_int64(0),
         ctypes.byref(size), None)
    text = ctypes.create_string_buffer(size.value + 1)
    call(library, "cudnnBackendGetAttribute", descriptor, JSON, CHAR, size, ctypes.byref(size),
         text)
    return text.value.decode()


def main():
    library = load()
    device = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    print(properties(library, device))


if __name__ == "__main__":
    main()
