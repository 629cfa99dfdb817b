#include "tests/op_cases/harness.h"
#include "engine/backends/open.h"
#include "engine/ops/ops.h"

#include "engine/device/cpu_device.h"
#include "engine/ops/convert/convert.h"
#include "tests/support/rounding.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_SEED = 77, RUN_STEP = 5 };

bool op_input_constant(dv_op_id op, int input)
{
    return (op == DV_OP_softmax_cross_entropy && input == 1) ||
           (op == DV_OP_distillation && input >= 2);
}

/* ---- Numbers of the host and of the backend ---- */

static void *to_real(const op_rig *rig, const double *values, int64_t count)
{
    size_t size = rig->guard.real->real_size;
    void *real = malloc((size_t)count * size);
    DV_ASSERT(real != NULL);
    for (int64_t i = 0; i < count; i++) {
        if (size == sizeof(double))
            ((double *)real)[i] = values[i];
        else
            ((float *)real)[i] = (float)values[i];
    }
    return real;
}

static void from_real(const op_rig *rig, const void *real, double *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = rig->guard.real->real_size == sizeof(double) ? ((const double *)real)[i]
                                                                 : ((const float *)real)[i];
}

dv_status op_rig_upload(op_rig *rig, const op_tensor *tensor)
{
    void *real = to_real(rig, tensor->value, tensor->count);
    bool value = tensor->kind == TENSOR_INPUT || tensor->kind == TENSOR_OUTPUT;
    dv_status status = value ? dv_plan_upload(rig->plan, tensor->index, real)
                             : dv_params_write(rig->params, tensor->index, DV_BUFFER_VALUES, real);
    free(real);
    return status;
}

typedef dv_status (*fetch_fn)(op_rig *rig, const op_tensor *tensor, void *real);

static dv_status fetch_value(op_rig *rig, const op_tensor *tensor, void *real)
{
    return tensor->kind == TENSOR_OUTPUT
               ? dv_plan_download(rig->plan, tensor->index, real)
               : dv_params_read(rig->params, tensor->index, DV_BUFFER_VALUES, real);
}

static dv_status fetch_gradient(op_rig *rig, const op_tensor *tensor, void *real)
{
    return tensor->kind == TENSOR_INPUT
               ? dv_plan_download_gradient(rig->plan, tensor->index, real)
               : dv_params_read(rig->params, tensor->index, DV_BUFFER_GRADIENTS, real);
}

static dv_status fetch(op_rig *rig, const op_tensor *tensor, fetch_fn function, double *out)
{
    void *real = malloc((size_t)tensor->count * rig->guard.real->real_size);
    DV_ASSERT(real != NULL);
    dv_status status = function(rig, tensor, real);
    if (status == DV_OK)
        from_real(rig, real, out, tensor->count);
    free(real);
    return status;
}

/* ---- Setting up ---- */

/* Rounds the case's numbers, and drops their signs, by the options. */
static void adjust_values(const op_rig *rig, int64_t count, double *values)
{
    bool rounds = rig->dtype != DV_F32 && !rig->unrounded;
    for (int64_t i = 0; rounds && i < count; i++)
        values[i] = float_from_bits(rig->dtype, bits_from_float(rig->dtype, (float)values[i]));
    for (int64_t i = 0; rig->magnitudes && i < count; i++)
        values[i] = fabs(values[i]);
}

static op_tensor *add_tensor(op_rig *rig, const char *name, op_tensor_kind kind, int index,
                             int64_t count)
{
    op_tensor *tensor = &rig->tensors[rig->tensor_count++];
    *tensor = (op_tensor){.kind = kind, .index = index, .count = count, .channels = 1};
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    tensor->value = calloc((size_t)count, sizeof *tensor->value);
    DV_ASSERT(tensor->value != NULL);
    return tensor;
}

static void add_gradient(op_tensor *tensor)
{
    tensor->gradient = calloc((size_t)tensor->count, sizeof *tensor->gradient);
    DV_ASSERT(tensor->gradient != NULL);
}

/* Appends a convert to int8 and sets *value to its output. */
static dv_status add_quantizer(const op_rig *rig, double scale, int *value)
{
    dv_convert_attr attr = {.dtype = DV_I8, .scale = scale};
    char name[32];
    snprintf(name, sizeof name, "quantize%d", *value);
    return dv_graph_add(rig->graph, &dv_op_convert, name, &attr, value, 1, value);
}

static dv_status build(op_rig *rig)
{
    int inputs[DV_MAX_INPUTS], count = op_case_input_count(rig->item);
    for (int i = 0; i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%d", i);
        dv_shape shape = rig->item->inputs[i].shape;
        DV_TRY(dv_graph_input(rig->graph, name, shape, &inputs[i]));
        op_tensor *x = add_tensor(rig, name, TENSOR_INPUT, inputs[i], dv_shape_count(shape));
        x->channels = shape.c;
        op_case_fill(rig->item, name, rig->item->inputs[i].data, x->count, shape.c, x->value);
        adjust_values(rig, x->count, x->value);
        if (rig->item->inputs[i].scale > 0)
            DV_TRY(add_quantizer(rig, rig->item->inputs[i].scale, &inputs[i]));
    }
    void *attributes;
    DV_TRY(op_attributes(rig->item->op, rig->item->attributes, &attributes));
    dv_status status = dv_graph_add(rig->graph, dv_op_get(rig->item->op), "layer", attributes,
                                    inputs, count, &rig->node);
    free(attributes);
    return status;
}

/* Fills weights for outputs of unit variance, and scales and variances away from zero. */
static void fill_parameter(const op_rig *rig, op_tensor *tensor, const dv_param *param)
{
    bool scale = rig->item->op == DV_OP_batchnorm && strcmp(tensor->name, "weight") == 0;
    bool positive = scale || strcmp(tensor->name, "running_var") == 0;
    op_case_fill(rig->item, tensor->name, positive ? DATA_POSITIVE : DATA_NORMAL, tensor->count, 1,
                 tensor->value);
    double fan_in = param->rank < 2 ? 1 : (double)(param->count / param->dim[0]);
    for (int64_t i = 0; i < tensor->count; i++)
        tensor->value[i] = (double)(float)(tensor->value[i] / sqrt(fan_in));
    bool rows = (rig->item->flags & CASE_ROWS) != 0 && param->rank > 1;
    for (int64_t i = 0; rows && i < tensor->count; i++) {
        int64_t row = i / (param->count / param->dim[0]);
        double size = row % 5 == 4 ? 0 : pow(10, (double)(row % 7) - 3);
        tensor->value[i] = (double)(float)(tensor->value[i] * size);
    }
    adjust_values(rig, tensor->count, tensor->value);
}

static void add_parameters(op_rig *rig)
{
    const dv_node *node = &rig->graph->nodes[rig->node];
    for (int i = 0; i < node->param_count + node->state_count; i++) {
        bool trainable = i < node->param_count;
        int index = trainable ? node->params[i] : node->states[i - node->param_count];
        const dv_param *param = &rig->params->items[index];
        op_tensor *tensor =
            add_tensor(rig, strchr(param->name, '.') + 1,
                       trainable ? TENSOR_PARAMETER : TENSOR_STATE, index, param->count);
        fill_parameter(rig, tensor, param);
    }
    dv_shape shape = node->shape;
    rig->output = add_tensor(rig, "y", TENSOR_OUTPUT, rig->node, dv_shape_count(shape));
    rig->output->channels = shape.c;
}

/* Plans and asks for the gradient of every input that can have one, except for the unwanted. */
static dv_status make_plan(op_rig *rig, unsigned unwanted)
{
    int wanted[DV_MAX_INPUTS], count = 0;
    for (int i = 0; i < rig->tensor_count && !rig->inference; i++) {
        op_tensor *tensor = &rig->tensors[i];
        bool input = tensor->kind == TENSOR_INPUT;
        if (input && (op_input_constant(rig->item->op, i) || (unwanted & (1U << i)) != 0))
            tensor->unwanted = true;
        else if (tensor->kind != TENSOR_STATE)
            add_gradient(tensor);
        if (input && tensor->gradient != NULL)
            wanted[count++] = tensor->index;
    }
    dv_plan_options options = {.training = !rig->inference,
                               .keep_all = true,
                               .gradients = wanted,
                               .gradient_count = count};
    DV_TRY(dv_plan_create(rig->context, rig->graph, &options, &rig->plan));
    for (int i = 0; i < rig->tensor_count; i++) {
        if (rig->tensors[i].kind != TENSOR_OUTPUT)
            DV_TRY(op_rig_upload(rig, &rig->tensors[i]));
    }
    op_tensor *y = rig->output;
    if (y->gradient != NULL) {
        op_case_fill(rig->item, "dy", DATA_NORMAL, y->count, y->channels, y->gradient);
        adjust_values(rig, y->count, y->gradient);
    }
    return DV_OK;
}

static dv_status open_context(op_rig *rig, const op_rig_options *options)
{
    const dv_backend *real = rig->guard.real;
    int threads = options->threads > 0 ? options->threads : 1;
    if (options->context != NULL) {
        DV_ASSERT(options->unguarded && options->context->backend == real);
        rig->lent = true;
        rig->context = options->context;
        rig->context->log = options->log;
    } else {
        DV_TRY(dv_context_open_backend(options->unguarded ? real : &rig->guard.backend, threads,
                                       options->log, &rig->context));
    }
    rig->context->algorithms = options->algorithms;
    DV_TRY(dv_context_set_tf32(rig->context, options->tf32));
    rig->precision = DV_FULL_PRECISION;
    if (dv_backend_has(real, rig->dtype) || real->check_operands != NULL)
        DV_TRY(dv_precision_in(rig->context, rig->dtype, &rig->precision));
    if (real == &dv_backend_cpu) { /* small cases use bf16 products, too */
        dv_cpu_device *device = rig->context->device;
        device->bf16_products = device->bf16_channels = 0;
    }
    return DV_OK;
}

static dv_status open_rig(op_rig *rig, const op_rig_options *options)
{
    DV_TRY(open_context(rig, options));
    DV_TRY(dv_params_create(rig->context, rig->precision, &rig->params));
    rig->guard.params = rig->params;
    DV_TRY(dv_graph_create(rig->params, &rig->graph));
    DV_TRY(build(rig));
    add_parameters(rig);
    if (options->plain)
        DV_TRY(dv_params_allocate(rig->params));
    return make_plan(rig, options->unwanted);
}

dv_status op_rig_open(const op_case *item, const dv_backend *backend, const op_rig_options *options,
                      op_rig **out)
{
    *out = NULL;
    if (backend->impls[item->op] == NULL)
        return DV_FAIL(DV_EUNSUPPORTED, "%s cannot run on %s", item->name, backend->name);
    op_rig *rig;
    DV_TRY(dv_calloc(1, sizeof *rig, &rig));
    rig->item = item;
    rig->dtype = options->dtype;
    rig->unrounded = options->unrounded;
    rig->magnitudes = options->magnitudes;
    rig->inference = options->inference || (item->flags & CASE_INFERENCE) != 0;
    rig->pass = (dv_pass){.training = !rig->inference, .seed = RUN_SEED, .step = RUN_STEP};
    guard_init(&rig->guard, backend, item->op);
    dv_status status = open_rig(rig, options);
    if (status != DV_OK) {
        op_rig_close(rig);
        return status;
    }
    *out = rig;
    return DV_OK;
}

void op_rig_close(op_rig *rig)
{
    if (rig == NULL)
        return;
    dv_plan_free(rig->plan);
    dv_graph_free(rig->graph);
    dv_params_free(rig->params);
    if (!rig->lent)
        dv_context_close(rig->context);
    guard_free(&rig->guard);
    for (int i = 0; i < rig->tensor_count; i++) {
        free(rig->tensors[i].value);
        free(rig->tensors[i].gradient);
    }
    free(rig);
}

/* ---- Running ---- */

static dv_status guard_status(const op_rig *rig)
{
    if (rig->guard.problem[0] == '\0')
        return DV_OK;
    return DV_FAIL(DV_EDEVICE, "%s", rig->guard.problem);
}

/* Restores a state to the case's values, which an earlier forward may have changed. */
static dv_status reset_state(op_rig *rig, op_tensor *tensor)
{
    fill_parameter(rig, tensor, &rig->params->items[tensor->index]);
    return op_rig_upload(rig, tensor);
}

dv_status op_rig_forward(op_rig *rig)
{
    for (int i = 0; i < rig->tensor_count; i++) {
        if (rig->tensors[i].kind == TENSOR_STATE)
            DV_TRY(reset_state(rig, &rig->tensors[i]));
    }
    DV_TRY(dv_plan_forward(rig->plan, &rig->pass));
    for (int i = 0; i < rig->tensor_count; i++) {
        op_tensor *tensor = &rig->tensors[i];
        if (tensor->kind == TENSOR_STATE || tensor->kind == TENSOR_OUTPUT)
            DV_TRY(fetch(rig, tensor, fetch_value, tensor->value));
    }
    return guard_status(rig);
}

dv_status op_rig_backward(op_rig *rig)
{
    void *real = to_real(rig, rig->output->gradient, rig->output->count);
    dv_status status = dv_plan_upload_gradient(rig->plan, rig->output->index, real);
    free(real);
    DV_TRY(status);
    DV_TRY(dv_plan_backward_from(rig->plan, &rig->pass));
    for (int i = 0; i < rig->tensor_count; i++) {
        op_tensor *tensor = &rig->tensors[i];
        if (tensor->gradient != NULL && tensor->kind != TENSOR_OUTPUT)
            DV_TRY(fetch(rig, tensor, fetch_gradient, tensor->gradient));
    }
    return guard_status(rig);
}

const op_tensor *op_rig_find(const op_rig *rig, const char *name)
{
    for (int i = 0; i < rig->tensor_count; i++) {
        if (strcmp(rig->tensors[i].name, name) == 0)
            return &rig->tensors[i];
    }
    return NULL;
}

/* ---- Roundings ---- */

static tolerance_roundings exact_terms(const op_rig *rig, const op_tensor *tensor)
{
    const dv_node *node = &rig->graph->nodes[rig->node];
    int64_t products = node->op->macs != NULL ? node->op->macs(rig->graph, node) : 0;
    for (int i = 0; i < rig->tensor_count; i++)
        products = rig->tensors[i].count > products ? rig->tensors[i].count : products;
    return (tolerance_roundings){.count = tensor->count,
                                 .terms = (products + tensor->count - 1) / tensor->count};
}

/* Whether a library computes it, which may round parts of a sum, or the sum before the bias. */
static bool by_library(const op_case *item)
{
    return item->op == DV_OP_conv2d || item->op == DV_OP_linear;
}

/* Whether tensors are float and only products round their operands. The case's own numbers are
   already rounded. */
static bool products_alone(const op_rig *rig)
{
    return rig->precision.values != rig->precision.operands;
}

tolerance_roundings op_rig_value_roundings(const op_rig *rig, const op_tensor *tensor)
{
    tolerance_roundings roundings = exact_terms(rig, tensor);
    bool rounded =
        tensor->kind == TENSOR_OUTPUT && rig->graph->nodes[rig->node].type.dtype != DV_F32;
    roundings.result = rounded;
    roundings.term = rounded && by_library(rig->item);
    return roundings;
}

/* Gradients of parameters stay float, except for a convolution's weight, which cuDNN computes in
   the type of its operands. A linear layer stores, and so rounds, the gradient before its
   activation. */
tolerance_roundings op_rig_gradient_roundings(const op_rig *rig, const op_tensor *tensor)
{
    tolerance_roundings roundings = exact_terms(rig, tensor);
    bool convolved = rig->item->op == DV_OP_conv2d && strcmp(tensor->name, "weight") == 0;
    bool activated = strstr(rig->item->attributes, "activation") != NULL;
    if (products_alone(rig)) { /* dy and the bias's gradient are float */
        roundings.term = by_library(rig->item) && activated && strcmp(tensor->name, "bias") != 0;
        return roundings;
    }
    roundings.result = tensor->kind == TENSOR_INPUT || convolved;
    roundings.term = by_library(rig->item) && (roundings.result > 0 || activated);
    return roundings;
}

/* ---- Sums of products ---- */

bool op_case_adds_products(const op_case *item)
{
    static const char key[] = "activation: ";
    const char *activation = strstr(item->attributes, key);
    return by_library(item) &&
           (activation == NULL || strncmp(activation + strlen(key), "relu", 4) == 0);
}

int64_t op_rig_summands(const op_rig *rig, const op_tensor *tensor, bool gradient)
{
    if (!op_case_adds_products(rig->item))
        return 0;
    const op_tensor *weight = op_rig_find(rig, "weight"), *y = rig->output;
    if (tensor == y)
        return weight->count / y->channels + (op_rig_find(rig, "bias") != NULL);
    if (!gradient)
        return 0;
    return tensor->kind == TENSOR_INPUT ? weight->count / tensor->channels : y->count / y->channels;
}

/* ---- Comparing ---- */

static op_comparison compare_tensor(const op_rig *rig, op_reference by, int i, bool gradient)
{
    const op_tensor *got = &rig->tensors[i], *want = &by.rig->tensors[i];
    const op_tensor *size = by.magnitudes != NULL ? &by.magnitudes->tensors[i] : NULL;
    op_comparison c = {.got = gradient ? got->gradient : got->value,
                       .want = gradient ? want->gradient : want->value,
                       .summands = op_rig_summands(rig, got, gradient)};
    snprintf(c.what, sizeof c.what, "%s%s", gradient ? "gradient of " : "", got->name);
    if (size != NULL)
        c.magnitudes = gradient ? size->gradient : size->value;
    c.roundings = gradient ? op_rig_gradient_roundings(rig, got) : op_rig_value_roundings(rig, got);
    return c;
}

int op_rig_compare(const op_rig *rig, op_reference by, op_comparison *out)
{
    int count = 0;
    for (int i = 0; i < rig->tensor_count; i++) {
        const op_tensor *tensor = &rig->tensors[i];
        if (tensor->kind == TENSOR_OUTPUT || tensor->kind == TENSOR_STATE)
            out[count++] = compare_tensor(rig, by, i, false);
        if (tensor->gradient != NULL)
            out[count++] = compare_tensor(rig, by, i, true);
    }
    return count;
}

uint32_t op_rig_hash(op_rig *rig)
{
    const char *attributes = rig->item->attributes;
    uint32_t hash = op_hash(OP_HASH_START, attributes, strlen(attributes));
    for (int i = 0; i < op_case_input_count(rig->item); i++) {
        const double *scale = &rig->item->inputs[i].scale;
        if (*scale > 0)
            hash = op_hash(hash, scale, sizeof *scale);
    }
    for (int i = 0; i < rig->tensor_count; i++) {
        const op_tensor *tensor = &rig->tensors[i];
        size_t bytes = (size_t)tensor->count * sizeof(double);
        if (tensor->kind == TENSOR_INPUT || tensor->kind == TENSOR_PARAMETER)
            hash = op_hash(hash, tensor->value, bytes);
        if (tensor->kind == TENSOR_OUTPUT && tensor->gradient != NULL)
            hash = op_hash(hash, tensor->gradient, bytes);
    }
    return hash;
}
