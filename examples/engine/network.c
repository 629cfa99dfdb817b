/*
 * Builds and trains a network with the interface of the engine: graph, plan, forward and backward
 * pass, and a loop of gradient descent. It learns on which of two spirals a point lies.
 *
 * The installed library shows only decavox.h; the headers of the engine are in the source tree. The
 * build links this program with the engine: build/.../tests/example_network.
 */
#include "engine/backends/open.h"
#include "engine/core/plan.h"
#include "engine/ops/activation/activation.h"
#include "engine/ops/linear/linear.h"
#include "engine/ops/ops.h"
#include "engine/ops/softmax_cross_entropy/softmax_cross_entropy.h"

#include <math.h>
#include <stdio.h>

enum { POINTS = 128, CLASSES = 2, UNITS = 32, STEPS = 4000 };

typedef struct spirals {
    float points[POINTS][2];        /* the input, (POINTS, 1, 1, 2) */
    float targets[POINTS][CLASSES]; /* one-hot, (POINTS, 1, 1, CLASSES) */
} spirals;

/* Draws two opposite arms of one and a half turns. */
static void draw(spirals *out)
{
    for (int i = 0; i < POINTS; i++) {
        int arm = i % CLASSES;
        double far = (i / CLASSES + 1.0) / (POINTS / CLASSES);
        double angle = acos(-1) * (3 * far + arm);
        out->points[i][0] = (float)(far * cos(angle));
        out->points[i][1] = (float)(far * sin(angle));
        for (int c = 0; c < CLASSES; c++)
            out->targets[i][c] = c == arm;
    }
}

typedef struct network {
    dv_params *params;
    dv_graph *graph;
    int points, targets, logits, loss; /* indices of values in the graph */
} network;

/* Builds 2 -> 32 -> 32 -> 2. Each layer is a node, which declares its parameters. */
static dv_status build(dv_context *context, network *net)
{
    const dv_linear_attr hidden = {.units = UNITS, .bias = true, .activation = DV_ACT_TANH};
    const dv_linear_attr last = {.units = CLASSES, .bias = true, .activation = DV_ACT_NONE};
    const dv_softmax_cross_entropy_attr plain = {.smoothing = 0};
    int first, second;
    DV_TRY(dv_params_create(context, DV_FULL_PRECISION, &net->params));
    DV_TRY(dv_graph_create(net->params, &net->graph));
    dv_graph *graph = net->graph;
    DV_TRY(dv_graph_input(graph, "points", (dv_shape){POINTS, 1, 1, 2}, &net->points));
    DV_TRY(dv_graph_input(graph, "targets", (dv_shape){POINTS, 1, 1, CLASSES}, &net->targets));
    DV_TRY(dv_graph_add(graph, &dv_op_linear, "first", &hidden, &net->points, 1, &first));
    DV_TRY(dv_graph_add(graph, &dv_op_linear, "second", &hidden, &first, 1, &second));
    DV_TRY(dv_graph_add(graph, &dv_op_linear, "last", &last, &second, 1, &net->logits));
    const int inputs[] = {net->logits, net->targets};
    return dv_graph_add(graph, &dv_op_softmax_cross_entropy, "loss", &plain, inputs, 2, &net->loss);
}

/* Takes one step of gradient descent with momentum. One buffer holds all trainable parameters, and
   another of the same layout their gradients; on the CPU both are in host memory. */
static void descend(dv_params *params, float rate)
{
    float *values = params->buffers[DV_BUFFER_VALUES];
    float *velocity = params->buffers[DV_BUFFER_MOMENT1];
    const float *gradients = params->buffers[DV_BUFFER_GRADIENTS];
    for (int64_t i = 0; i < params->trainable_elements; i++) {
        velocity[i] = 0.9F * velocity[i] - rate * gradients[i];
        values[i] += velocity[i];
    }
}

static int count_right(const float logits[POINTS][CLASSES])
{
    int right = 0;
    for (int i = 0; i < POINTS; i++)
        right += (logits[i][1] > logits[i][0]) == i % CLASSES;
    return right;
}

/* Trains on the whole set. The backward pass gets 1 / POINTS, the gradient of the mean loss. */
static dv_status train(const network *net, dv_plan *plan)
{
    static spirals data;
    static float logits[POINTS][CLASSES], losses[POINTS];
    const dv_pass pass = {.training = true, .seed = 1};
    draw(&data);
    DV_TRY(dv_params_initialize(net->params, 1));
    DV_TRY(dv_params_allocate_buffer(net->params, DV_BUFFER_MOMENT1));
    for (int step = 0; step <= STEPS; step++) {
        DV_TRY(dv_plan_upload(plan, net->points, data.points));
        DV_TRY(dv_plan_upload(plan, net->targets, data.targets));
        DV_TRY(dv_plan_forward(plan, &pass));
        DV_TRY(dv_plan_download(plan, net->logits, logits));
        DV_TRY(dv_plan_download(plan, net->loss, losses));
        if (step % 1000 == 0) {
            float mean = 0;
            for (int i = 0; i < POINTS; i++)
                mean += losses[i] / POINTS;
            printf("step %4d: loss %.4f, %d of %d right\n", step, mean, count_right(logits),
                   POINTS);
        }
        DV_TRY(dv_plan_backward(plan, &pass, 1.0 / POINTS));
        descend(net->params, 0.05F);
    }
    return DV_OK;
}

/* Opens the CPU, builds the graph, plans it for training, and trains. */
int main(void)
{
    dv_context *context = NULL;
    network net = {.params = NULL};
    dv_plan *plan = NULL;
    dv_status status = dv_context_open("cpu", 1, (dv_log){.write = NULL}, &context);
    if (status == DV_OK)
        status = build(context, &net);
    if (status == DV_OK) {
        const dv_plan_options options = {
            .training = true, .outputs = &net.logits, .output_count = 1};
        status = dv_plan_create(context, net.graph, &options, &plan);
    }
    if (status == DV_OK)
        status = train(&net, plan);
    if (status != DV_OK)
        fprintf(stderr, "network: %s\n", dv_error_message());
    dv_plan_free(plan);
    dv_graph_free(net.graph);
    dv_params_free(net.params);
    dv_context_close(context);
    return status == DV_OK ? 0 : 1;
}
