/* The CPU backend: host memory, oneDNN and OpenMP over float. */
#define _DEFAULT_SOURCE /* madvise */
#include "engine/backends/open.h"
#include "engine/device/cpu_device.h"
#include "engine/ops/cpu.h"
#include "engine/ops/ops.h"
#include "engine/optimizer/optimizer.h"

#include <dnnl_version.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void close_device(dv_context *context)
{
    dv_cpu_device *device = context->device;
    if (device->stream != NULL)
        dnnl_stream_destroy(device->stream);
    if (device->engine != NULL)
        dnnl_engine_destroy(device->engine);
    free(device);
    context->device = NULL;
}

static dv_status start(dv_cpu_device *device)
{
    /* By default oneDNN searches forty places for VTune when it makes its first kernel. */
    DV_DNNL(dnnl_set_jit_profiling_flags(DNNL_JIT_PROFILE_NONE));
    DV_DNNL(dnnl_engine_create(&device->engine, dnnl_cpu, 0));
    DV_DNNL(dnnl_stream_create(&device->stream, device->engine, dnnl_stream_default_flags));
    return DV_OK;
}

/* Measured on Zen 4. A smaller product takes a microsecond in either type. With fewer channels
   oneDNN's convolution pads more in BF16 than in float. */
enum { BF16_PRODUCTS = 1 << 17, BF16_CHANNELS = 8 };

/* OpenMP has one number of threads per host thread. The number set here holds for the thread that
   opens the context. */
static dv_status open_device(dv_context *context)
{
    dv_cpu_device *device;
    DV_TRY(dv_calloc(1, sizeof *device, &device));
    *device = (dv_cpu_device){.bf16_products = BF16_PRODUCTS, .bf16_channels = BF16_CHANNELS};
    context->device = device;
    omp_set_num_threads(context->threads);
    dv_status status = start(device);
    if (status != DV_OK)
        close_device(context);
    return status;
}

/* Sets the exact number of threads. oneDNN's primitives are made for a number and compute wrongly
   with fewer, which libgomp may give if the host program has set OMP_DYNAMIC. The result is then
   negative, which restores that setting. */
static int take_threads(int threads)
{
    int before = omp_get_dynamic() ? -omp_get_max_threads() : omp_get_max_threads();
    omp_set_dynamic(threads < 0);
    omp_set_num_threads(abs(threads));
    return before;
}

/*
 * With less work, threads wait for each other longer than they save time, or even go to sleep in
 * between. Measured on Zen 4 with two threads for all models at batch 1 to 16: one thread was
 * faster up to 0.7 million multiply-adds per step, two threads from 0.8 million on. Training has
 * more work per step.
 */
enum { THREAD_MACS = 3 << 17 };

#define TEXT(number) TEXT_OF(number)
#define TEXT_OF(number) #number

static const char *version(void)
{
    return "oneDNN " TEXT(DNNL_VERSION_MAJOR) "." TEXT(DNNL_VERSION_MINOR) "." TEXT(
        DNNL_VERSION_PATCH);
}

/*
 * Memory that calloc gets from the system is zero and is not touched here, because touching memory
 * takes most of the time at the start of a program. The address to free is stored before each
 * piece.
 */
enum { ALIGNMENT = 64, HUGE_PAGE = 2 << 20 }; /* bytes */

/* Large pieces are on huge pages if the system allows it. They have fewer page faults at the start
   and fewer misses of the TLB. */
static dv_status allocate(dv_context *context, size_t bytes, void **out)
{
    (void)context;
    *out = NULL;
    size_t alignment = bytes >= HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    size_t rounded = bytes < SIZE_MAX / 2 ? (bytes + alignment - 1) / alignment * alignment : bytes;
    char *memory = bytes < SIZE_MAX / 2 ? calloc(rounded + alignment + ALIGNMENT, 1) : NULL;
    if (memory == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %zu bytes", bytes);
    char *piece = memory + sizeof memory;
    piece += (alignment - (uintptr_t)piece % alignment) % alignment;
    memcpy(piece - sizeof memory, &memory, sizeof memory);
    if (alignment == HUGE_PAGE)
        (void)madvise(piece, rounded, MADV_HUGEPAGE); /* only a hint */
    *out = piece;
    return DV_OK;
}

static void release(dv_context *context, void *memory)
{
    (void)context;
    if (memory == NULL)
        return;
    char *start;
    memcpy(&start, (char *)memory - sizeof start, sizeof start);
    free(start);
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
    float *out = destination, element = (float)value;
#pragma omp parallel for simd schedule(static) if (count > DV_CPU_GRAIN)
    for (int64_t i = 0; i < count; i++)
        out[i] = element;
    return DV_OK;
}

DV_CPU_CLONES
static void add_block(float *restrict sum, const float *restrict term, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        sum[i] += term[i];
}

static dv_status accumulate(dv_context *context, dv_dtype dtype, void *into, const void *from,
                            int64_t count)
{
    (void)context;
    DV_ASSERT(dtype == DV_F32);
    float *sum = into;
    const float *term = from;
#pragma omp parallel for schedule(static) if (count > DV_CPU_GRAIN)
    for (int64_t i = 0; i < count; i += DV_CPU_BLOCK)
        add_block(sum + i, term + i, dv_smaller(DV_CPU_BLOCK, count - i));
    return DV_OK;
}

static dv_status check_operands(dv_context *context, dv_dtype dtype)
{
    if (dtype != DV_BF16)
        return DV_FAIL(DV_EUNSUPPORTED, "%s computes in fp32 and bf16, not in %s",
                       context->backend->name, dv_dtype_name(dtype));
    if (!dv_cpu_has_bf16())
        return DV_FAIL(DV_EUNSUPPORTED,
                       "this processor has no instructions for bf16 (AVX512_BF16 or AMX)");
    return DV_OK;
}

static const dv_impl *const impls[DV_OP_COUNT] = {
#define DV_OP(name) [DV_OP_##name] = &dv_##name##_cpu,
#include "engine/ops/ops.def"
#undef DV_OP
};

const dv_backend dv_backend_cpu = {
    .name = "cpu",
    .real_size = sizeof(float),
    .host_memory = true,
    .values = 1U << DV_F32,
    .check_operands = check_operands,
    .open = open_device,
    .close = close_device,
    .version = version,
    .take_threads = take_threads,
    .thread_macs = THREAD_MACS,
    .impls = impls,
    .optimizer = &dv_optimizer_cpu,
    .allocate = allocate,
    .release = release,
    .upload = copy,
    .download = copy,
    .copy = copy,
    .fill = fill,
    .accumulate = accumulate,
    .convert = dv_cpu_convert,
};
