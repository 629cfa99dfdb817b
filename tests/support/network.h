/* A small network on one backend, for tests of several operations together. Numbers are double
   here, whatever type the backend computes in. A failure fails the test at once. */
#ifndef DV_TESTS_NETWORK_H
#define DV_TESTS_NETWORK_H

#include "engine/core/plan.h"
#include "engine/ops/ops.h"

extern const dv_backend dv_backend_ref64;

typedef struct network {
    dv_context *context;
    dv_params *params;
    dv_graph *graph;
    dv_plan *plan;
    dv_pass pass;
    int input, output; /* numbers of values; output is that of the last node */
} network;

/* A backend whose implementation of one operation is `impl`, which the test may change. */
typedef struct patched_backend {
    dv_backend backend;
    const dv_impl *impls[DV_OP_COUNT];
    dv_impl impl;
} patched_backend;

/* Copies the real backend. `out` must not move while it is in use. */
void patched_backend_init(patched_backend *out, const dv_backend *real, dv_op_id op);

/* Opens a context and begins a graph with one input `x`. */
void network_begin(network *net, const dv_backend *backend, dv_shape shape);

/* Appends a node and returns its value. A `second` below 0 stands for no second input. */
int network_add(network *net, dv_op_id op, const char *name, const void *attr, int first,
                int second);

/* Appends the layers of a model, YAML "layers: ...", behind net->output. */
void network_layers(network *net, const char *yaml, int64_t classes);

/* Plans with the gradient of the input, and draws the parameters (none is 0 or 1) and the input.
   `options` may be NULL; its outputs and gradients are replaced. */
void network_plan(network *net, const dv_plan_options *options);

/* Makes and plans the whole network of a model of YAML layers. */
void network_open(network *net, const dv_backend *backend, const char *yaml, dv_shape shape,
                  int64_t classes, const dv_plan_options *options);
void network_close(network *net);

/* Draws `count` standard normal numbers that are exactly floats. Each `stream` gives other
   numbers. */
void network_draw(uint64_t stream, int64_t count, double *values);

void network_forward(network *net);
/* Runs backward from a random gradient of the output, which is the same on every backend. */
void network_backward(network *net);

/* The elements of a value or parameter. The caller frees them. */
int64_t network_count(const network *net, int value);
double *network_value(const network *net, int value);
double *network_gradient(const network *net, int value);
double *network_parameter(const network *net, int index, dv_buffer buffer);

void network_set_value(network *net, int value, const double *numbers);
void network_set_parameter(network *net, int index, const double *numbers);

/* The sum of the output times its random gradient. Backward computes its derivative. */
double network_loss(network *net);

/* Fails unless sum (got - want)^2 <= nmse sum want^2, give or take 1e-6 per element. */
void assert_near(const char *what, const double *got, const double *want, int64_t count,
                 double nmse);

/* Compares output, the input's gradient and all parameters' gradients of two networks of the same
   structure. An `nmse` of 0 asks for equality. */
void assert_same_results(const network *got, const network *want, double nmse);

/* Compares the gradients of the input and of every parameter with central differences of the loss,
   in some elements of each. For the reference in double. */
void assert_finite_differences(network *net);

#endif
