/* The reference backend: host memory, plain C, one thread. It is compiled for float and, in the
   tests, for double (see ref.h). */
#include "engine/backends/open.h"
#include "engine/base/convert.h"
#include "engine/ops/ops.h"
#include "engine/ops/ref.h"
#include "engine/optimizer/optimizer.h"

#include <stdlib.h>
#include <string.h>

static dv_status allocate(dv_context *context, size_t bytes, void **out)
{
    (void)context;
    size_t rounded = (bytes + 63) / 64 * 64;
    *out = aligned_alloc(64, rounded > 0 ? rounded : 64);
    if (*out == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu bytes", bytes);
    memset(*out, 0, rounded);
    return DV_OK;
}

static void release(dv_context *context, void *memory)
{
    (void)context;
    free(memory);
}

static dv_status copy(dv_context *context, void *destination, const void *source, size_t bytes)
{
    (void)context;
    memcpy(destination, source, bytes);
    return DV_OK;
}

static dv_status fill(dv_context *context, void *destination, double value, int64_t count)
{
    (void)context;
    real *out = destination;
    for (int64_t i = 0; i < count; i++)
        out[i] = (real)value;
    return DV_OK;
}

static dv_status accumulate(dv_context *context, dv_dtype dtype, void *into, const void *from,
                            int64_t count)
{
    (void)context;
    DV_ASSERT(dtype == DV_F32);
    real *sum = into;
    const real *term = from;
    for (int64_t i = 0; i < count; i++)
        sum[i] += term[i];
    return DV_OK;
}

static dv_status convert(dv_context *context, const dv_conversion *conversion)
{
    (void)context;
    dv_convert(conversion, sizeof(real));
    return DV_OK;
}

static const char *version(void)
{
    return "plain C";
}

static const dv_impl *const impls[DV_OP_COUNT] = {
#define DV_OP(name) [DV_OP_##name] = &DV_REF(name),
#include "engine/ops/ops.def"
#undef DV_OP
};

#ifdef DV_REF64
#define BACKEND dv_backend_ref64
#define BACKEND_NAME "ref64"
extern const dv_backend dv_backend_ref64;
#else
#define BACKEND dv_backend_ref
#define BACKEND_NAME "ref"
#endif

const dv_backend BACKEND = {
    .name = BACKEND_NAME,
    .real_size = sizeof(real),
    .host_memory = true,
    .values = 1U << DV_F32,
    .version = version,
    .impls = impls,
    .optimizer = &DV_REF(optimizer),
    .allocate = allocate,
    .release = release,
    .upload = copy,
    .download = copy,
    .copy = copy,
    .fill = fill,
    .accumulate = accumulate,
    .convert = convert,
};
