/* Declares parameters, gives them places in the collated buffers, draws their initial values, and
   moves values between host and device. */
#include "engine/core/params.h"
#include "engine/base/rng.h"
#include "engine/core/context.h"
#include "engine/core/graph.h"
#include "engine/core/params_internal.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

dv_status dv_params_create(dv_context *context, dv_precision precision, dv_params **out)
{
    DV_TRY(dv_calloc(1, sizeof **out, out));
    (*out)->context = context;
    (*out)->precision = precision;
    return DV_OK;
}

static void release(dv_params *params, void *memory)
{
    if (memory != NULL)
        params->context->backend->release(params->context, memory);
}

void dv_params_release(dv_params *params)
{
    for (int i = 0; i < params->count; i++) {
        dv_param *param = &params->items[i];
        if (param->layout != NULL)
            param->layout->drop(param->layout);
        param->layout = NULL;
        param->planned = false;
    }
    for (int buffer = 0; buffer < DV_BUFFER_COUNT; buffer++) {
        release(params, params->buffers[buffer]);
        release(params, params->states[buffer]);
        release(params, params->copies[buffer]);
        release(params, params->scales[buffer]);
        params->buffers[buffer] = params->states[buffer] = params->copies[buffer] = NULL;
        params->scales[buffer] = NULL;
    }
    params->allocated = params->planned = false;
}

void dv_params_free(dv_params *params)
{
    if (params == NULL)
        return;
    dv_params_release(params);
    free(params->items);
    free(params);
}

int dv_params_find(const dv_params *params, const char *name)
{
    for (int i = 0; i < params->count; i++) {
        if (strcmp(params->items[i].name, name) == 0)
            return i;
    }
    return -1;
}

int dv_params_freeze(dv_params *params, const char *pattern)
{
    DV_ASSERT(!params->allocated);
    int matched = 0;
    for (int i = 0; i < params->count; i++) {
        dv_param *param = &params->items[i];
        if (!param->trainable || fnmatch(pattern, param->name, 0) != 0)
            continue;
        param->frozen = true;
        matched++;
    }
    return matched;
}

int64_t dv_params_count(const dv_params *params)
{
    int64_t count = 0;
    for (int i = 0; i < params->count; i++)
        count += params->items[i].trainable ? params->items[i].count : 0;
    return count;
}

static dv_status grow(dv_params *params)
{
    if (params->count < params->capacity)
        return DV_OK;
    int capacity = params->capacity > 0 ? 2 * params->capacity : 64;
    dv_param *items = realloc(params->items, (size_t)capacity * sizeof *items);
    if (items == NULL)
        return DV_FAIL(DV_ENOMEM, "out of memory: %d parameters", capacity);
    params->items = items;
    params->capacity = capacity;
    return DV_OK;
}

static bool same_shape(const dv_param *param, const dv_param_spec *spec)
{
    return param->rank == spec->rank &&
           memcmp(param->dim, spec->dim, (size_t)spec->rank * sizeof spec->dim[0]) == 0;
}

/* The type in which products read a parameter of the node. */
static dv_dtype operand_of(const dv_params *params, const dv_node *node, const dv_param_spec *spec)
{
    dv_dtype values = node->type.dtype;
    if (!spec->trainable)
        return DV_F32;
    if (values == params->precision.values)
        return params->precision.operands;
    return dv_dtype_scaled(values) && spec->rank < 2 ? DV_F32 : values;
}

/* Checks a parameter that another graph has declared. */
static dv_status check_same(const dv_param *param, const dv_param_spec *spec, dv_dtype operand)
{
    if (!same_shape(param, spec))
        return DV_FAIL(DV_ESHAPE,
                       "parameter '%s' is shared by layers that need it in two different shapes",
                       param->name);
    if (param->operand != operand)
        return DV_FAIL(DV_EARG, "parameter '%s' is shared by layers that need it in %s and in %s",
                       param->name, dv_dtype_name(param->operand), dv_dtype_name(operand));
    return DV_OK;
}

/* Declares the parameter, or finds it if another graph has declared it. */
static dv_status declare(dv_params *params, const char *name, const dv_param_spec *spec,
                         dv_dtype operand, int *index)
{
    *index = dv_params_find(params, name);
    if (*index >= 0)
        return check_same(&params->items[*index], spec, operand);
    if (params->allocated)
        return DV_FAIL(DV_EARG, "parameter '%s' is not in the model that it should be shared with",
                       name);
    DV_TRY(grow(params));
    *index = params->count++;
    dv_param *param = &params->items[*index];
    *param = (dv_param){.rank = spec->rank,
                        .init = spec->init,
                        .decay = spec->decay,
                        .trainable = spec->trainable,
                        .operand = operand,
                        .count = 1};
    strcpy(param->name, name);
    for (int d = 0; d < spec->rank; d++) {
        param->dim[d] = spec->dim[d];
        param->count *= spec->dim[d];
    }
    return DV_OK;
}

dv_status dv_node_param(dv_graph *graph, dv_node *node, const dv_param_spec *spec)
{
    char name[DV_NAME_SIZE];
    int length = snprintf(name, sizeof name, "%s.%s", node->name, spec->suffix);
    if (length < 0 || (size_t)length >= sizeof name)
        return DV_FAIL(DV_EARG, "the layer name '%.40s...' is too long", node->name);
    int index;
    dv_dtype operand = operand_of(graph->params, node, spec);
    DV_TRY(declare(graph->params, name, spec, operand, &index));
    if (spec->trainable) {
        DV_ASSERT(node->param_count < DV_MAX_PARAMS);
        node->params[node->param_count++] = index;
    } else {
        DV_ASSERT(node->state_count < DV_MAX_PARAMS);
        node->states[node->state_count++] = index;
    }
    return DV_OK;
}

/* The regions of the collated buffers. */
typedef enum region { DECAYED, PLAIN, FROZEN, STATES } region;

static region region_of(const dv_param *param)
{
    if (!param->trainable)
        return STATES;
    if (param->frozen)
        return FROZEN;
    return param->decay ? DECAYED : PLAIN;
}

/* Places all parameters of one region from `offset` on, and returns the end. */
static int64_t place(dv_params *params, region where, int64_t offset)
{
    for (int i = 0; i < params->count; i++) {
        dv_param *param = &params->items[i];
        if (region_of(param) != where)
            continue;
        param->offset = offset;
        offset += dv__param_places(param);
    }
    return offset;
}

dv_status dv_params_allocate(dv_params *params)
{
    if (params->allocated)
        return DV_OK;
    params->decay_elements = place(params, DECAYED, 0);
    params->trainable_elements = place(params, PLAIN, params->decay_elements);
    params->value_elements = place(params, FROZEN, params->trainable_elements);
    params->state_elements = place(params, STATES, 0);
    dv__params_place_copies(params);
    params->allocated = true;
    return dv_params_allocate_buffer(params, DV_BUFFER_VALUES);
}

static bool has_states(dv_buffer buffer)
{
    return buffer == DV_BUFFER_VALUES || buffer == DV_BUFFER_BEST || buffer == DV_BUFFER_AVERAGE;
}

/* Whether the buffer has places for frozen parameters. Backward writes their gradients too. */
static bool has_frozen(dv_buffer buffer)
{
    return has_states(buffer) || buffer == DV_BUFFER_GRADIENTS;
}

static dv_status allocate(dv_params *params, int64_t elements, void **memory)
{
    const dv_backend *backend = params->context->backend;
    if (*memory != NULL)
        return DV_OK;
    return backend->allocate(params->context, (size_t)elements * backend->real_size, memory);
}

dv_status dv_params_allocate_buffer(dv_params *params, dv_buffer buffer)
{
    DV_ASSERT(params->allocated);
    int64_t elements = has_frozen(buffer) ? params->value_elements : params->trainable_elements;
    DV_TRY(allocate(params, elements, &params->buffers[buffer]));
    if (has_states(buffer))
        DV_TRY(allocate(params, params->state_elements, &params->states[buffer]));
    return dv__params_allocate_copies(params, buffer);
}

void *dv_params_address(const dv_params *params, int index, dv_buffer buffer)
{
    const dv_param *param = &params->items[index];
    char *base = param->trainable ? params->buffers[buffer] : params->states[buffer];
    if (base == NULL || (param->frozen && !has_frozen(buffer)))
        return NULL;
    return base + (size_t)param->offset * params->context->backend->real_size;
}

/* Makes host memory for a parameter in its layout, if device memory cannot be used directly. */
static dv_status packed_copy(const dv_params *params, size_t bytes, void *device, void **packed)
{
    if (!params->context->backend->host_memory)
        return dv_calloc(bytes, 1, packed);
    *packed = device;
    return DV_OK;
}

dv_status dv_params_read(const dv_params *params, int index, dv_buffer buffer, void *host)
{
    const dv_param *param = &params->items[index];
    const dv_backend *backend = params->context->backend;
    void *device = dv_params_address(params, index, buffer), *packed;
    DV_ASSERT(device != NULL);
    size_t bytes = (size_t)dv__param_elements(param) * backend->real_size;
    if (param->layout == NULL)
        return backend->download(params->context, host, device, bytes);
    DV_TRY(packed_copy(params, bytes, device, &packed));
    dv_status status = DV_OK;
    if (packed != device)
        status = backend->download(params->context, packed, device, bytes);
    if (status == DV_OK)
        param->layout->unpack(param->layout, packed, host);
    if (packed != device)
        free(packed);
    return status;
}

static dv_status write_layout(dv_params *params, int index, dv_buffer buffer, const void *host)
{
    const dv_param *param = &params->items[index];
    const dv_backend *backend = params->context->backend;
    void *device = dv_params_address(params, index, buffer), *packed;
    DV_ASSERT(device != NULL);
    size_t bytes = (size_t)dv__param_elements(param) * backend->real_size;
    if (param->layout == NULL)
        return backend->upload(params->context, device, host, bytes);
    DV_TRY(packed_copy(params, bytes, device, &packed));
    param->layout->pack(param->layout, host, packed);
    if (packed == device)
        return DV_OK;
    dv_status status = backend->upload(params->context, device, packed, bytes);
    free(packed);
    return status;
}

dv_status dv_params_write(dv_params *params, int index, dv_buffer buffer, const void *host)
{
    DV_TRY(write_layout(params, index, buffer, host));
    if (!params->items[index].trainable || params->copies[buffer] == NULL)
        return DV_OK;
    return dv__params_round_one(params, index, buffer);
}

/* ---- Initial values ---- */

/* Fan-in and fan-out as PyTorch counts them: (O,I,H,W) has I H W and O H W. */
static void fans(const dv_param *param, double *in, double *out)
{
    double receptive = 1;
    for (int d = 2; d < param->rank; d++)
        receptive *= (double)param->dim[d];
    *in = (param->rank > 1 ? (double)param->dim[1] : 1) * receptive;
    *out = (double)param->dim[0] * receptive;
}

static double draw(const dv_param *param, const dv_rng *rng, int64_t element)
{
    double in, out;
    fans(param, &in, &out);
    switch (param->init) {
    case DV_INIT_ONE:
        return 1;
    case DV_INIT_KAIMING:
        return sqrt(2.0 / in) * dv_rng_normal(rng, (uint32_t)element);
    case DV_INIT_XAVIER:
        return sqrt(6.0 / (in + out)) * (2.0 * dv_rng_uniform(rng, (uint32_t)element) - 1.0);
    case DV_INIT_ZERO:
        break;
    }
    return 0;
}

static dv_status initialize_one(dv_params *params, int index, uint64_t seed, void *host)
{
    const dv_param *param = &params->items[index];
    dv_rng rng = {.seed = seed, .use = DV_RNG_INIT, .step = (uint64_t)index};
    bool is_double = params->context->backend->real_size == sizeof(double);
    for (int64_t i = 0; i < param->count; i++) {
        float value = (float)draw(param, &rng, i);
        if (is_double)
            ((double *)host)[i] = (double)value;
        else
            ((float *)host)[i] = value;
    }
    return dv_params_write(params, index, DV_BUFFER_VALUES, host);
}

dv_status dv_params_initialize(dv_params *params, uint64_t seed)
{
    int64_t largest = 0;
    for (int i = 0; i < params->count; i++)
        largest = params->items[i].count > largest ? params->items[i].count : largest;
    void *host;
    DV_TRY(dv_calloc((size_t)largest, params->context->backend->real_size, &host));
    dv_status status = DV_OK;
    for (int i = 0; i < params->count && status == DV_OK; i++)
        status = initialize_one(params, i, seed, host);
    free(host);
    return status;
}

dv_status dv_params_copy(dv_params *params, dv_buffer from, dv_buffer to)
{
    DV_ASSERT(has_states(from) && has_states(to));
    const dv_backend *backend = params->context->backend;
    DV_TRY(backend->copy(params->context, params->buffers[to], params->buffers[from],
                         (size_t)params->value_elements * backend->real_size));
    DV_TRY(backend->copy(params->context, params->states[to], params->states[from],
                         (size_t)params->state_elements * backend->real_size));
    DV_TRY(dv_params_round(params, to));
    return backend->wait != NULL ? backend->wait(params->context) : DV_OK;
}
