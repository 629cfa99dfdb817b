/* Formats shapes for messages. */
#include "engine/core/tensor.h"

#include <inttypes.h>
#include <stdio.h>

dv_shape_text dv_shape_format(dv_shape s)
{
    dv_shape_text out;
    snprintf(out.text, sizeof out.text, "(%" PRId64 ", %" PRId64 ", %" PRId64 ", %" PRId64 ")", s.n,
             s.h, s.w, s.c);
    return out;
}
