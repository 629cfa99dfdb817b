/* Measures how fast the machine copies memory and multiplies matrices. */
#include "benchmarks/ceilings.h"
#include "engine/ops/ops.h"

#include "tests/op_cases/harness.h"

#include <dnnl.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { SIMULATED_SIDE = 32, DEVICE_SIDE = 4096, DEVICE_BYTES = 256 << 20 };

/* Sides of the matrices. The products are short enough that most repetitions are not disturbed; the
   fastest one counts. */
static const int sides[] = {256, 512, 1024};

/* ---- A copy ---- */

typedef struct copying {
    bench *bench;
    char *from, *to; /* (bytes) on the device */
    size_t bytes;
} copying;

/* Each thread copies a part of its own. */
static void copy_on_host(copying *c)
{
    size_t parts = (size_t)c->bench->threads, each = c->bytes / parts / 64 * 64;
#pragma omp parallel for num_threads(c->bench->threads) schedule(static)
    for (size_t i = 0; i < parts; i++) {
        size_t first = i * each, count = i + 1 < parts ? each : c->bytes - first;
        memcpy(c->to + first, c->from + first, count);
    }
}

static dv_status copy(void *user)
{
    copying *c = user;
    dv_context *context = c->bench->context;
    if (context->backend->host_memory) {
        copy_on_host(c);
        return DV_OK;
    }
    DV_TRY(context->backend->copy(context, c->to, c->from, c->bytes));
    return context->backend->wait(context);
}

static void clear_caches(void *user)
{
    const copying *c = user;
    bench_flush(c->bench);
}

static dv_status measure_copy(bench *b, dv_times *out, size_t *bytes)
{
    const dv_backend *backend = b->context->backend;
    copying c = {.bench = b, .bytes = backend->host_memory ? b->cache / 4 : DEVICE_BYTES};
    *bytes = c.bytes;
    void *from = NULL, *to = NULL;
    dv_status status = backend->allocate(b->context, c.bytes, &from);
    if (status == DV_OK)
        status = backend->allocate(b->context, c.bytes, &to);
    if (status == DV_OK)
        status = backend->fill(b->context, from, 1, (int64_t)(c.bytes / backend->real_size));
    dv_time_options effort = bench_effort(b, 0.5);
    effort.prepare = backend->host_memory ? clear_caches : NULL;
    c.from = from;
    c.to = to;
    if (status == DV_OK)
        status = dv_time_work(copy, &c, &effort, out);
    if (from != NULL)
        backend->release(b->context, from);
    if (to != NULL)
        backend->release(b->context, to);
    return status;
}

/* ---- A library's product of matrices, whatever the operations themselves use ---- */

typedef struct product {
    int side;
    float *a, *b, *c; /* (side, side) */
} product;

static dv_status multiply(void *user)
{
    const product *p = user;
    dnnl_status_t status = dnnl_sgemm('N', 'N', p->side, p->side, p->side, 1, p->a, p->side, p->b,
                                      p->side, 0, p->c, p->side);
    return status == dnnl_success ? DV_OK : DV_FAIL(DV_EDEVICE, "dnnl_sgemm: %d", (int)status);
}

static dv_status measure_on_host(const bench *b, int side, dv_times *out)
{
    size_t count = (size_t)side * (size_t)side;
    float *memory;
    DV_TRY(dv_calloc(3 * count, sizeof *memory, &memory));
    for (size_t i = 0; i < 3 * count; i++)
        memory[i] = (float)(i % 7) - 3;
    product p = {.side = side, .a = memory, .b = memory + count, .c = memory + 2 * count};
    dv_time_options effort = bench_effort(b, 0.3);
    omp_set_num_threads(b->threads);
    dv_status status = dv_time_work(multiply, &p, &effort, out);
    free(memory);
    return status;
}

/* Computes a linear layer without bias, which is one product. */
static dv_status multiply_on_device(void *user)
{
    op_rig *rig = user;
    DV_TRY(dv_plan_forward(rig->plan, &rig->pass));
    return rig->context->backend->wait(rig->context);
}

static dv_status measure_on_device(const bench *b, int side, dv_times *out)
{
    char units[64];
    snprintf(units, sizeof units, "units: %d, bias: false", side);
    const op_case item = {.op = DV_OP_linear,
                          .name = "ceiling",
                          .attributes = units,
                          .flags = CASE_INFERENCE,
                          .inputs = {{.shape = {side, 1, 1, side}}}};
    const op_rig_options options = {.threads = b->threads,
                                    .unguarded = true,
                                    .dtype = bench_dtype(b->chosen.precision),
                                    .tf32 = bench_tf32(b->chosen.precision)};
    op_rig *rig;
    DV_TRY(op_rig_open(&item, b->context->backend, &options, &rig));
    dv_time_options effort = bench_effort(b, 0.5);
    dv_status status = dv_time_work(multiply_on_device, rig, &effort, out);
    op_rig_close(rig);
    return status;
}

static dv_status measure_product(const bench *b, double *operations, dv_times *out)
{
    if (!b->context->backend->host_memory) {
        bool simulated = strncmp(b->chosen.device, "cudasim", 7) == 0;
        int side = simulated ? SIMULATED_SIDE : DEVICE_SIDE;
        *operations = 2 * pow(side, 3);
        return measure_on_device(b, side, out);
    }
    double best = 0;
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        dv_times times;
        double count = 2 * pow(sides[i], 3);
        DV_TRY(measure_on_host(b, sides[i], &times));
        if (count / times.median < best)
            continue;
        best = count / times.median;
        *operations = count;
        *out = times;
    }
    return DV_OK;
}

dv_status bench_measure_ceilings(bench *b, bench_ceilings *out)
{
    size_t bytes;
    double flop = 0;
    bool host = b->context->backend->host_memory;
    bench_result result = {
        .name = "ceiling/copy", .unit = "s", .cache = host ? "flushed" : "larger than all caches"};
    DV_TRY(measure_copy(b, &result.value, &bytes));
    out->copy = 2 * (double)bytes / result.value.median;
    result.figures[0] = (bench_figure){"bytes", 2 * (double)bytes};
    result.figures[1] = (bench_figure){"gb_per_s", 1e-9 * out->copy};
    DV_TRY(bench_write(b, &result));

    result = (bench_result){.name = "ceiling/matmul", .unit = "s", .cache = "warm"};
    DV_TRY(measure_product(b, &flop, &result.value));
    out->matmul = flop / result.value.median;
    result.figures[0] = (bench_figure){"flop", flop};
    result.figures[1] = (bench_figure){"gflop_per_s", 1e-9 * out->matmul};
    return bench_write(b, &result);
}
