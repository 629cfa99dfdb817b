/* Times each operation by itself, forward and backward, with bytes and operations per second and
   their share of the machine's ceilings. The caches are cleared before each repetition. */
#include "benchmarks/bench.h"
#include "benchmarks/ceilings.h"
#include "benchmarks/model_ops.h"
#include "tests/op_cases/harness.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 32, MOST = 200 };

typedef struct measuring {
    bench *bench;
    bench_ceilings ceilings;
    op_rig *rig;
    bool backward;
    int uses; /* number of nodes in the models, 0 for a case of the tests */
} measuring;

static dv_status run_once(void *user)
{
    const measuring *m = user;
    op_rig *rig = m->rig;
    DV_TRY(m->backward ? dv_plan_backward_from(rig->plan, &rig->pass)
                       : dv_plan_forward(rig->plan, &rig->pass));
    return rig->context->backend->wait != NULL ? rig->context->backend->wait(rig->context) : DV_OK;
}

static void clear_caches(void *user)
{
    const measuring *m = user;
    bench_flush(m->bench);
}

/* The least bytes to read or write, each counted once. Forward takes inputs, parameters and output.
   Backward takes the output's gradient, the values of the forward pass that it reads, parameters,
   and the gradients that it writes. */
static double traffic(const op_rig *rig, bool backward)
{
    const dv_op *op = rig->graph->nodes[rig->node].op;
    double bytes = 0;
    for (int i = 0; i < rig->tensor_count; i++) {
        const op_tensor *tensor = &rig->tensors[i];
        bool input = tensor->kind == TENSOR_INPUT;
        bool value = input || tensor->kind == TENSOR_OUTPUT;
        dv_dtype dtype = value ? rig->params->precision.values : DV_F32;
        size_t size = dv_backend_size(rig->context->backend, dtype);
        unsigned bit = input ? DV_READS_INPUT((unsigned)i) : DV_READS_OUTPUT;
        bool read = !backward ||
                    (value ? (op->backward_reads & bit) != 0 : tensor->kind == TENSOR_PARAMETER);
        bool gradient = backward && tensor->gradient != NULL;
        bytes += (double)size * (double)tensor->count * ((read ? 1 : 0) + (gradient ? 1 : 0));
    }
    return bytes;
}

/* Backward has the operations of forward once for the inputs' gradients and once for the weights'.
 */
static double operations(const op_rig *rig, bool backward)
{
    double forward = 2 * (double)dv_graph_macs(rig->graph);
    bool inputs = rig->tensors[0].gradient != NULL;
    return backward ? (inputs ? 2 : 1) * forward : forward;
}

static void add_figure(bench_result *result, const char *key, double value)
{
    int i = 0;
    while (result->figures[i].key != NULL)
        i++;
    DV_ASSERT(i < BENCH_FIGURES);
    result->figures[i] = (bench_figure){key, value};
}

static dv_status measure(measuring *m, const char *case_name, bool backward)
{
    char name[BENCH_NAME_SIZE];
    DV_TRY(bench_format(name, sizeof name, "%s/%s", case_name, backward ? "backward" : "forward"));
    if (!bench_wants(m->bench, name))
        return DV_OK;
    bench_result result = {.name = name, .unit = "s", .cache = "flushed"};
    result.precision = dv_precision_names[m->bench->chosen.precision];
    dv_time_options effort = bench_effort(m->bench, 0.2);
    effort.most = MOST;
    effort.prepare = m->bench->context->backend->host_memory ? clear_caches : NULL;
    if (effort.prepare == NULL)
        result.cache = "warm";
    m->backward = backward;
    DV_TRY(dv_time_work(run_once, m, &effort, &result.value));
    double seconds = result.value.median, bytes = traffic(m->rig, backward);
    double flop = operations(m->rig, backward);
    result.batch = m->rig->item->inputs[0].shape.n;
    add_figure(&result, "bytes", bytes);
    add_figure(&result, "gb_per_s", 1e-9 * bytes / seconds);
    add_figure(&result, "copy_percent", 100 * bytes / seconds / m->ceilings.copy);
    if (flop > 0) {
        add_figure(&result, "flop", flop);
        add_figure(&result, "gflop_per_s", 1e-9 * flop / seconds);
        add_figure(&result, "matmul_percent", 100 * flop / seconds / m->ceilings.matmul);
    }
    if (m->uses > 0)
        add_figure(&result, "uses", m->uses);
    return bench_write(m->bench, &result);
}

static bool wants_either(const bench *b, const char *case_name)
{
    char name[BENCH_NAME_SIZE];
    snprintf(name, sizeof name, "%s/forward", case_name);
    bool forward = bench_wants(b, name);
    snprintf(name, sizeof name, "%s/backward", case_name);
    return forward || bench_wants(b, name);
}

static dv_status measure_case(measuring *m, const op_case *item, unsigned unwanted)
{
    const op_rig_options options = {.threads = m->bench->threads,
                                    .unguarded = true,
                                    .unwanted = unwanted,
                                    .dtype = bench_dtype(m->bench->chosen.precision),
                                    .tf32 = bench_tf32(m->bench->chosen.precision),
                                    .log = notes_log(&m->bench->said)};
    if (!wants_either(m->bench, item->name))
        return DV_OK;
    DV_TRY(op_rig_open(item, m->bench->context->backend, &options, &m->rig));
    dv_status status = op_rig_forward(m->rig);
    if (status == DV_OK)
        status = measure(m, item->name, false);
    bool backward = !m->rig->inference && m->rig->output->gradient != NULL;
    if (status == DV_OK && backward)
        status = op_rig_backward(m->rig);
    if (status == DV_OK && backward)
        status = measure(m, item->name, true);
    op_rig_close(m->rig);
    m->rig = NULL;
    return status;
}

static dv_status measure_cases(measuring *m)
{
    for (int i = 0; i < op_case_count; i++) {
        bool computed = m->bench->context->backend->host_memory || !op_case_has_int8(&op_cases[i]);
        if ((op_cases[i].flags & CASE_LARGE) != 0 && computed)
            DV_TRY(measure_case(m, &op_cases[i], 0));
    }
    return DV_OK;
}

static dv_status measure_models(measuring *m)
{
    model_ops ops;
    int64_t batch = m->bench->chosen.batch > 0 ? m->bench->chosen.batch : BATCH;
    DV_TRY(model_ops_collect(m->bench, batch, &ops));
    dv_status status = DV_OK;
    for (size_t i = 0; status == DV_OK && i < ops.count; i++) {
        m->uses = ops.items[i].uses;
        status = measure_case(m, &ops.items[i].item, ops.items[i].unwanted);
    }
    model_ops_free(&ops);
    return status;
}

dv_status bench_suite_ops(bench *b)
{
    measuring m = {.bench = b};
    DV_TRY(bench_make_flush(b));
    DV_TRY(bench_measure_ceilings(b, &m.ceilings));
    DV_TRY(measure_cases(&m));
    return measure_models(&m);
}
