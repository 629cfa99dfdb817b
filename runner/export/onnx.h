/*
 * Programs as ONNX models (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): IR version 8
 * and operator set 17, which ONNX Runtime reads from 1.12 on.
 */
#ifndef DV_EXPORT_ONNX_H
#define DV_EXPORT_ONNX_H

#include "runner/export/form.h"

/* The file's bytes, to be freed with dv_protobuf_free. DV_ENOMEM. */
dv_status dv_onnx_write(const dv_exported *exported, dv_protobuf *out);

/* Reads a file's bytes again: DV_EFORMAT unless they hold the statements, the constants with all
   their bytes, the inputs and the outputs of the program. */
dv_status dv_onnx_check(const dv_exported *exported, const dv_protobuf *bytes);

#endif
