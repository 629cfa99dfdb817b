/* Whole models as programs: layers whose tensors change between images and rows, batch norms that
   can become part of convolutions and those that cannot, and composite layers. */
#include "engine/backends/open.h"
#include "engine/core/writer.h"
#include "engine/ops/batchnorm/batchnorm.h"
#include "engine/ops/conv2d/conv2d.h"
#include "engine/ops/dropout/dropout.h"
#include "tests/support/must.h"
#include "tests/support/network.h"
#include "tests/support/program_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 3, ROWS = 8, FRAMES = 10, CLASSES = 4 };

typedef struct model_case {
    const char *about, *layers;
    int statements; /* expected number of statements, 0 if it is not checked */
} model_case;

#define CONV(more) "  - conv2d: {filters: 6, kernel: 3" more "}\n"
#define HEAD "  - linear: {units: classes}\n"

static const model_case cases[] = {
    {"a batch norm becomes part of the convolution",
     "layers:\n" CONV("") "  - batchnorm: {activation: relu}\n  - global_avgpool\n" HEAD, 5},
    {"a second batch norm too",
     "layers:\n" CONV("") "  - batchnorm\n  - batchnorm\n  - flatten\n" HEAD, 3},
    {"a batch norm behind a pool",
     "layers:\n" CONV("") "  - maxpool: {kernel: 2}\n"
                          "  - batchnorm: {activation: silu}\n  - flatten\n" HEAD,
     0},
    {"a batch norm of rows",
     "layers:\n  - frames\n  - linear: {units: 6}\n  - batchnorm\n"
     "  - flatten\n" HEAD,
     0},
    {"images to rows and back",
     "layers:\n" CONV("") "  - linear: {units: 5, activation: tanh}\n" CONV(
         "") "  - layer_norm\n" CONV(", stride: 2") "  - flatten\n" HEAD,
     0},
    {"one position",
     "layers:\n  - conv2d: {filters: 6, kernel: [8, 10], padding: 0}\n"
     "  - linear: {units: 6}\n  - activation: {kind: gelu}\n"
     "  - conv2d: {filters: 9, kernel: 1}\n  - frames\n  - positions\n"
     "  - attention: {heads: 1}\n  - layer_norm\n" HEAD,
     0},
    {"one position in attention",
     "layers:\n  - conv2d: {filters: 6, kernel: [8, 10], padding: 0}\n"
     "  - attention: {heads: 2}\n  - global_avgpool\n" HEAD,
     0},
    {"an encoder",
     "layers:\n  - frames\n  - conv2d: {filters: 8, kernel: [1, 3]}\n  - positions\n"
     "  - encoder: {units: 8, heads: 2, feed_forward: 12, layers: 2}\n"
     "  - layer_norm\n  - global_avgpool\n  - dropout: {rate: 0.5}\n" HEAD,
     0},
    {"residual blocks with gates",
     "layers:\n" CONV(
         "") "  - residual: {filters: 6, se_reduction: 2}\n  - spatial_attention: {kernel: 3}\n"
             "  - residual: {filters: 8, stride: 2}\n  - global_maxpool\n" HEAD,
     0},
    {"inverted bottlenecks",
     "layers:\n" CONV(
         "") "  - mbconv: {filters: 6, expand: 2, activation: hardswish}\n"
             "  - mbconv: {filters: 8, expand: 2, stride: 2}\n  - global_avgpool\n" HEAD,
     0},
    {"an ensemble",
     "layers:\n  - ensemble:\n      models:\n"
     "      - {name: a, layers: [{flatten: }, {linear: {units: classes}}]}\n"
     "      - {name: b, layers: [{conv2d: {filters: 3, kernel: 3}}, {batchnorm: }, {flatten: },\n"
     "          {linear: {units: classes}}]}\n",
     0},
};

static dv_program *write_network(const network *net, dv_value *logits)
{
    dv_program *program;
    dv_size sizes[] = {dv_size_symbol(DV_SYMBOL_BATCH), dv_size_of(1), dv_size_of(ROWS),
                       dv_size_of(FRAMES)};
    must(dv_program_create(&program));
    dv_writer_request request = {
        .program = program, .graph = net->graph, .inputs = {net->input}, .input_count = 1};
    request.output = net->output;
    request.values[0] = dv_program_input(program, "x", DV_ELEMENT_F32, sizes, 4);
    must(dv_writer_run(&request, logits));
    must(dv_program_finish(program));
    return program;
}

static void check_case(const model_case *item)
{
    network net;
    dv_value logits;
    dv_plan_options options = {.training = false};
    network_open(&net, &dv_backend_ref, item->layers, (dv_shape){BATCH, ROWS, FRAMES, 1}, CLASSES,
                 &options);
    net.pass.training = false;
    network_forward(&net);
    dv_program *program = write_network(&net, &logits);
    double *x = network_value(&net, net.input), *want = network_value(&net, net.output);
    array input = {.rank = 4, .size = {BATCH, 1, ROWS, FRAMES}, .data = x};
    array *values = program_run(program, &input);
    assert_int_equal(array_count(&values[logits]), BATCH * CLASSES);
    for (int i = 0; i < BATCH * CLASSES; i++) {
        if (!(fabs(values[logits].data[i] - want[i]) <= 1e-5 * fmax(1, fabs(want[i]))))
            fail_msg("%s: logit %d is %.9g in the program, %.9g in the model", item->about, i,
                     values[logits].data[i], want[i]);
    }
    if (item->statements > 0)
        assert_int_equal(program->statement_count, item->statements);
    program_free(program, values);
    dv_program_free(program);
    free(x);
    free(want);
    network_close(&net);
}

static void test_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_case(&cases[i]);
}

/* A convolution whose output has another user is not fused, even if dropout lies in between. */
static void test_what_others_use_is_not_changed(void **state)
{
    network net;
    dv_value logits;
    dv_conv2d_attr conv = {.filters = 3,
                           .kernel = {3, 3},
                           .stride = {1, 1},
                           .padding = {-1, -1},
                           .dilation = {1, 1},
                           .groups = 1};
    dv_batchnorm_attr norm = {.epsilon = 1e-5, .momentum = 0.1};
    dv_dropout_attr dropout = {.rate = 0.5};
    (void)state;
    network_begin(&net, &dv_backend_ref, (dv_shape){BATCH, ROWS, FRAMES, 1});
    int shared = network_add(&net, DV_OP_conv2d, "conv", &conv, net.input, -1);
    int dropped = network_add(&net, DV_OP_dropout, "dropout", &dropout, shared, -1);
    int normed = network_add(&net, DV_OP_batchnorm, "norm", &norm, dropped, -1);
    network_add(&net, DV_OP_add, "sum", NULL, normed, shared);
    network_plan(&net, &(dv_plan_options){.training = false});
    net.pass.training = false;
    network_forward(&net);
    dv_program *program = write_network(&net, &logits);
    assert_int_equal(program->statement_count, 6); /* Conv, Mul, Add, Add, and the form of rows */
    dv_program_free(program);
    network_close(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models),
                                       cmocka_unit_test(test_what_others_use_is_not_changed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
