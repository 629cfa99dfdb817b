/*
 * Programs as ONNX models (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) of IR version 8
 * and operator set 17, which ONNX Runtime supports from 1.12 on.
 */
#ifndef DV_EXPORT_ONNX_H
#define DV_EXPORT_ONNX_H

#include "runner/export/form.h"

/* Makes the bytes of the file. Free them with dv_protobuf_free. Returns DV_ENOMEM if memory runs
   out. */
dv_status dv_onnx_write(const dv_exported *exported, dv_protobuf *out);

/* Reads the bytes again. Returns DV_EFORMAT unless they hold the statements, the constants with all
   their bytes, the inputs and the outputs of the program. */
dv_status dv_onnx_check(const dv_exported *exported, const dv_protobuf *bytes);

#endif
