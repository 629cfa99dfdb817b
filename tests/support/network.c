#include "tests/support/network.h"
#include "engine/backends/open.h"
#include "engine/base/rng.h"
#include "engine/base/yaml.h"
#include "engine/layers/model.h"
#include "engine/ops/ops.h"
#include "tests/support/must.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STREAM_INPUT = 1 << 20, STREAM_OUTPUT_GRADIENT };

static double *numbers_new(int64_t count)
{
    double *numbers = calloc((size_t)count, sizeof *numbers);
    assert_non_null(numbers);
    return numbers;
}

/* ---- Making ---- */

void patched_backend_init(patched_backend *out, const dv_backend *real, dv_op_id op)
{
    out->backend = *real;
    out->impl = *real->impls[op];
    memcpy(out->impls, real->impls, sizeof out->impls);
    out->impls[op] = &out->impl;
    out->backend.impls = out->impls;
}

void network_begin(network *net, const dv_backend *backend, dv_shape shape)
{
    memset(net, 0, sizeof *net);
    net->pass = (dv_pass){.training = true, .seed = 11, .step = 3};
    must(dv_context_open_backend(backend, 1, (dv_log){0}, &net->context));
    must(dv_params_create(net->context, DV_FULL_PRECISION, &net->params));
    must(dv_graph_create(net->params, &net->graph));
    must(dv_graph_input(net->graph, "x", shape, &net->input));
    net->output = net->input;
}

int network_add(network *net, dv_op_id op, const char *name, const void *attr, int first,
                int second)
{
    int inputs[2] = {first, second};
    must(dv_graph_add(net->graph, dv_op_get(op), name, attr, inputs, second >= 0 ? 2 : 1,
                      &net->output));
    return net->output;
}

void network_layers(network *net, const char *yaml, int64_t classes)
{
    dv_tree *model;
    must(dv_yaml_parse(yaml, strlen(yaml), "network.yaml", &model));
    must(dv_model_build(net->graph, model, net->output, classes, &net->output));
    dv_tree_free(model);
}

/* Initialises weights, and moves scales, offsets and statistics away from 0 and 1. */
static void draw_parameters(network *net)
{
    must(dv_params_initialize(net->params, 5));
    for (int i = 0; i < net->params->count; i++) {
        const dv_param *param = &net->params->items[i];
        if (param->rank > 1)
            continue;
        double *noise = numbers_new(param->count);
        double *values = network_parameter(net, i, DV_BUFFER_VALUES);
        network_draw((uint64_t)i, param->count, noise);
        for (int64_t k = 0; k < param->count; k++)
            values[k] = (double)(float)(values[k] + 0.2 * tanh(noise[k]));
        network_set_parameter(net, i, values);
        free(noise);
        free(values);
    }
}

void network_plan(network *net, const dv_plan_options *options)
{
    dv_plan_options all = options != NULL ? *options : (dv_plan_options){.training = true};
    int kept[2] = {net->output, net->input}; /* kept, so that forward can run again */
    all.outputs = kept;
    all.output_count = 2;
    all.gradients = &net->input;
    all.gradient_count = all.training ? 1 : 0;
    must(dv_plan_create(net->context, net->graph, &all, &net->plan));
    draw_parameters(net);
    int64_t count = network_count(net, net->input);
    double *input = numbers_new(count);
    network_draw(STREAM_INPUT, count, input);
    network_set_value(net, net->input, input);
    free(input);
}

void network_open(network *net, const dv_backend *backend, const char *yaml, dv_shape shape,
                  int64_t classes, const dv_plan_options *options)
{
    network_begin(net, backend, shape);
    network_layers(net, yaml, classes);
    network_plan(net, options);
}

void network_close(network *net)
{
    dv_plan_free(net->plan);
    dv_graph_free(net->graph);
    dv_params_free(net->params);
    dv_context_close(net->context);
}

/* ---- Numbers ---- */

void network_draw(uint64_t stream, int64_t count, double *values)
{
    dv_rng rng = {.seed = 9, .use = DV_RNG_TEST, .step = stream};
    for (int64_t i = 0; i < count; i++)
        values[i] = (double)(float)dv_rng_normal(&rng, (uint32_t)i);
}

static void *to_real(const network *net, const double *numbers, int64_t count)
{
    size_t size = net->context->backend->real_size;
    void *real = calloc((size_t)count, size);
    assert_non_null(real);
    for (int64_t i = 0; i < count; i++) {
        if (size == sizeof(double))
            ((double *)real)[i] = numbers[i];
        else
            ((float *)real)[i] = (float)numbers[i];
    }
    return real;
}

/* Converts the backend's numbers to double and frees `real`. */
static double *from_real(const network *net, void *real, int64_t count)
{
    if (net->context->backend->real_size == sizeof(double))
        return real;
    double *numbers = numbers_new(count);
    for (int64_t i = 0; i < count; i++)
        numbers[i] = (double)((float *)real)[i];
    free(real);
    return numbers;
}

int64_t network_count(const network *net, int value)
{
    return dv_shape_count(dv_graph_shape(net->graph, value));
}

double *network_value(const network *net, int value)
{
    void *real = numbers_new(network_count(net, value));
    must(dv_plan_download(net->plan, value, real));
    return from_real(net, real, network_count(net, value));
}

double *network_gradient(const network *net, int value)
{
    void *real = numbers_new(network_count(net, value));
    must(dv_plan_download_gradient(net->plan, value, real));
    return from_real(net, real, network_count(net, value));
}

double *network_parameter(const network *net, int index, dv_buffer buffer)
{
    int64_t count = net->params->items[index].count;
    void *real = numbers_new(count);
    must(dv_params_read(net->params, index, buffer, real));
    return from_real(net, real, count);
}

void network_set_value(network *net, int value, const double *numbers)
{
    void *real = to_real(net, numbers, network_count(net, value));
    must(dv_plan_upload(net->plan, value, real));
    free(real);
}

void network_set_parameter(network *net, int index, const double *numbers)
{
    void *real = to_real(net, numbers, net->params->items[index].count);
    must(dv_params_write(net->params, index, DV_BUFFER_VALUES, real));
    free(real);
}

/* ---- Running ---- */

void network_forward(network *net)
{
    must(dv_plan_forward(net->plan, &net->pass));
}

static double *output_gradient(const network *net)
{
    int64_t count = network_count(net, net->output);
    double *gradient = numbers_new(count);
    network_draw(STREAM_OUTPUT_GRADIENT, count, gradient);
    return gradient;
}

void network_backward(network *net)
{
    double *gradient = output_gradient(net);
    void *real = to_real(net, gradient, network_count(net, net->output));
    must(dv_plan_upload_gradient(net->plan, net->output, real));
    must(dv_plan_backward_from(net->plan, &net->pass));
    free(real);
    free(gradient);
}

double network_loss(network *net)
{
    network_forward(net);
    double *output = network_value(net, net->output);
    double *gradient = output_gradient(net);
    double loss = 0;
    for (int64_t i = 0; i < network_count(net, net->output); i++)
        loss += output[i] * gradient[i];
    free(output);
    free(gradient);
    return loss;
}

/* ---- Comparing ---- */

void assert_near(const char *what, const double *got, const double *want, int64_t count,
                 double nmse)
{
    double error = 0, power = 0;
    for (int64_t i = 0; i < count; i++) {
        error += (got[i] - want[i]) * (got[i] - want[i]);
        power += want[i] * want[i];
    }
    /* The gradient of a bias in front of a batch norm is nothing but rounding. */
    double allowed = nmse > 0 ? nmse * power + 1e-12 * (double)count : 0;
    if (!(error <= allowed)) /* true for NaN, too */
        fail_msg("%s: error %.3g of %.3g, allowed %.3g", what, error, power, allowed);
}

/* Compares two arrays and frees both. */
static void compare(const char *what, double *got, double *want, int64_t count, double nmse)
{
    if (nmse == 0 && memcmp(got, want, (size_t)count * sizeof *got) != 0)
        fail_msg("%s is not the same to the bit", what);
    assert_near(what, got, want, count, nmse);
    free(got);
    free(want);
}

void assert_same_results(const network *got, const network *want, double nmse)
{
    compare("the output", network_value(got, got->output), network_value(want, want->output),
            network_count(want, want->output), nmse);
    compare("the input's gradient", network_gradient(got, got->input),
            network_gradient(want, want->input), network_count(want, want->input), nmse);
    assert_int_equal(got->params->count, want->params->count);
    for (int i = 0; i < want->params->count; i++) {
        const dv_param *param = &want->params->items[i];
        assert_string_equal(got->params->items[i].name, param->name);
        dv_buffer buffer = param->trainable ? DV_BUFFER_GRADIENTS : DV_BUFFER_VALUES;
        compare(param->name, network_parameter(got, i, buffer), network_parameter(want, i, buffer),
                param->count, nmse);
    }
}

enum { DIFFERENCES = 8 }; /* elements of each tensor that are checked */

typedef void (*set_fn)(network *net, int index, const double *numbers);

/* Checks some elements of `gradient` by changing `numbers`, and frees both. */
static void check_differences(network *net, const char *what, set_fn set, int index,
                              double *numbers, double *gradient, int64_t count)
{
    static const double step = 1e-6;
    double power = 0;
    for (int64_t i = 0; i < count; i++)
        power += gradient[i] * gradient[i];
    double scale = sqrt(power / (double)count);
    if (!(scale > 1e-9))
        fail_msg("%s: the gradient is zero: nothing is tested", what);
    int64_t stride = count > DIFFERENCES ? count / DIFFERENCES : 1;
    for (int64_t i = 0; i < count; i += stride) {
        double before = numbers[i], loss[2];
        for (int side = 0; side < 2; side++) {
            numbers[i] = before + (side == 0 ? step : -step);
            set(net, index, numbers);
            loss[side] = network_loss(net);
        }
        numbers[i] = before;
        double difference = (loss[0] - loss[1]) / (2 * step);
        if (!(fabs(difference - gradient[i]) <= 1e-6 * (scale + fabs(gradient[i])) + 1e-8))
            fail_msg("%s, element %lld: gradient %.12g, difference %.12g", what, (long long)i,
                     gradient[i], difference);
    }
    set(net, index, numbers);
    free(numbers);
    free(gradient);
}

void assert_finite_differences(network *net)
{
    network_forward(net);
    network_backward(net);
    double *input = network_value(net, net->input);
    double *gradient = network_gradient(net, net->input);
    int64_t count = network_count(net, net->input);
    double **gradients = calloc((size_t)net->params->count + 1, sizeof *gradients);
    assert_non_null(gradients);
    for (int i = 0; i < net->params->count; i++) {
        if (net->params->items[i].trainable)
            gradients[i] = network_parameter(net, i, DV_BUFFER_GRADIENTS);
    }
    check_differences(net, "the input", network_set_value, net->input, input, gradient, count);
    for (int i = 0; i < net->params->count; i++) {
        const dv_param *param = &net->params->items[i];
        if (param->trainable)
            check_differences(net, param->name, network_set_parameter, i,
                              network_parameter(net, i, DV_BUFFER_VALUES), gradients[i],
                              param->count);
    }
    free(gradients);
}
