/*
 * oneDNN's convolution. The weight has the blocked layout that oneDNN prefers for the forward pass.
 * If a pass needs another layout, or the first plan has fixed another one, the weight is converted
 * in scratch memory. If the weight is read in BF16, x, w and dy are rounded to BF16 first, and the
 * parameter has the layout that oneDNN prefers for BF16, so that its rounded copy has it too.
 */
#include "engine/ops/conv2d/cpu_conv2d.h"
#include "engine/gemm/cpu_dense.h"
#include "engine/ops/cpu.h"

#include <stdlib.h>

/* A pass, with its converted copy of the weight or of the weight's gradient. */
typedef struct pass {
    dv_cpu_primitive primitive;
    dv_cpu_primitive convert; /* empty if the parameter has the pass's layout */
    size_t converted;         /* bytes of the copy in scratch, or 0 */
} pass;

typedef struct direct {
    const dv_impl *way;
    pass forward, data, weights;
    bool depthwise;               /* our own kernels compute the weight gradient */
    bool rounds, rounds_weights;  /* round x, w and dy; also for the weight gradient */
    size_t rounded_x, rounded_dy; /* bytes of the rounded x and dy at the start of scratch */
} direct;

/* Data that only plan needs. */
typedef struct draft {
    const dv_cpu_device *device;
    dv_dnnl_convolution convolution; /* all float, with w in any layout */
    dnnl_data_type_t operands;       /* type of x, w and dy */
    int threads;                     /* threads that compute the step */
    dnnl_memory_desc_t canonical;    /* w in PyTorch's order */
    dnnl_memory_desc_t master;       /* w in the parameter's layout */
    dnnl_primitive_desc_t forward;
} draft;

/* Describes (N,H,W,C) as oneDNN's (N,C,H,W). */
static dv_status image(dv_shape shape, dnnl_memory_desc_t *out)
{
    int64_t dim[] = {shape.n, shape.c, shape.h, shape.w};
    int64_t stride[] = {shape.h * shape.w * shape.c, 1, shape.w * shape.c, shape.c};
    return dv_md_plain(4, dim, stride, out);
}

static dv_status describe(const dv_node_step *s, draft *d)
{
    const dv_conv2d_attr *attr = s->node->attr;
    int64_t groups = attr->groups;
    int64_t dim[] = {groups, attr->filters / groups, s->in[0].c / groups, attr->kernel[0],
                     attr->kernel[1]};
    int skip = groups == 1 ? 1 : 0;
    d->convolution = (dv_dnnl_convolution){
        .has_bias = attr->bias,
        .stride = {attr->stride[0], attr->stride[1]},
        .padding = {attr->padding[0], attr->padding[1]},
        .dilation = {attr->dilation[0], attr->dilation[1]},
    };
    DV_TRY(image(s->in[0], &d->convolution.x));
    DV_TRY(image(s->node->shape, &d->convolution.y));
    DV_TRY(dv_md_any(5 - skip, dim + skip, &d->convolution.w));
    DV_TRY(dv_md_plain(5 - skip, dim + skip, NULL, &d->canonical));
    return dv_md_plain(1, &attr->filters, NULL, &d->convolution.bias);
}

/* Whether rounding pays. It gains little for a depthwise convolution, which waits for memory. */
static bool wants_rounding(const dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    int64_t products = dv_shape_rows(s->node->shape) * attr->filters * s->in[0].c *
                       attr->kernel[0] * attr->kernel[1];
    return attr->groups == 1 && s->in[0].c >= dv_cpu_device_of(s->context)->bf16_channels &&
           dv_cpu_operands(s, products) == DV_BF16;
}

static dv_dnnl_convolution in_types(const draft *d, dnnl_data_type_t x, dnnl_data_type_t w,
                                    dnnl_data_type_t y)
{
    dv_dnnl_convolution convolution = d->convolution;
    convolution.x = dv_md_of_type(convolution.x, x);
    convolution.w = dv_md_of_type(convolution.w, w);
    convolution.y = dv_md_of_type(convolution.y, y);
    return convolution;
}

/* Describes the forward pass, in BF16 if that pays and oneDNN is fast with it. */
static dv_status describe_forward(const dv_node_step *s, draft *d)
{
    dv_dnnl_convolution rounded = in_types(d, dnnl_bf16, dnnl_bf16, dnnl_f32);
    d->operands = dnnl_bf16;
    if (wants_rounding(s) && dv_dnnl_forward(d->device, &rounded, &d->forward) == DV_OK) {
        if (dv_dnnl_is_fast(d->forward))
            return DV_OK;
        dnnl_primitive_desc_destroy(d->forward);
        d->forward = NULL;
    }
    d->operands = dnnl_f32;
    return dv_dnnl_forward(d->device, &d->convolution, &d->forward);
}

/* The weight that products read, before a conversion: the parameter, or its rounded copy. */
static dnnl_memory_desc_t given_weight(const draft *d)
{
    return dv_md_of_type(d->master, d->operands);
}

/* Takes the forward pass that oneDNN prefers, and requests its layout for the parameter. The pass
   is the same if the parameter has another layout, so the results are too. */
static dv_status settle_layout(dv_planner *planner, const dv_node_step *s, draft *d)
{
    DV_TRY(describe_forward(s, d));
    d->master = dv_md_of_type(dv_md_argument(d->forward, DNNL_ARG_WEIGHTS), dnnl_f32);
    if (!dv_md_equal(&d->master, &d->canonical)) {
        dv_layout *layout;
        DV_TRY(dv_cpu_layout_create(d->device, &d->canonical, &d->master, &layout));
        if (dv_planner_set_layout(planner, 0, layout))
            return DV_OK;
    }
    const dv_layout *fixed = dv_planner_layout(planner, 0);
    d->master = fixed != NULL ? *dv_cpu_layout_md(fixed) : d->canonical;
    return DV_OK;
}

static dv_status plan_forward(const draft *d, pass *forward)
{
    static const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_BIAS};
    dnnl_memory_desc_t given = given_weight(d);
    dnnl_memory_desc_t wanted = dv_md_argument(d->forward, DNNL_ARG_WEIGHTS);
    DV_TRY(dv_cpu_primitive_create(d->device, d->forward, arguments,
                                   d->convolution.has_bias ? 4 : 3, &forward->primitive));
    DV_TRY(dv_cpu_reorder_create(d->device, &given, &wanted, &forward->convert));
    if (forward->convert.primitive != NULL)
        forward->converted = dv_cpu_aligned(dv_md_bytes(&wanted));
    return DV_OK;
}

static dv_status plan_data(const draft *d, pass *data)
{
    static const int arguments[] = {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC};
    dv_dnnl_convolution convolution = in_types(d, dnnl_f32, d->operands, d->operands);
    dnnl_primitive_desc_t description;
    DV_TRY(dv_dnnl_backward_data(d->device, &convolution, d->forward, &description));
    dnnl_memory_desc_t given = given_weight(d);
    dnnl_memory_desc_t wanted = dv_md_argument(description, DNNL_ARG_WEIGHTS);
    dv_status status =
        dv_cpu_primitive_create(d->device, description, arguments, 3, &data->primitive);
    dnnl_primitive_desc_destroy(description);
    if (status != DV_OK)
        return status;
    DV_TRY(dv_cpu_reorder_create(d->device, &given, &wanted, &data->convert));
    if (data->convert.primitive != NULL)
        data->converted = dv_cpu_aligned(dv_md_bytes(&wanted));
    return DV_OK;
}

/*
 * The type for the weight gradient. With strides, oneDNN 2.6 leaves parts of the BF16 gradient
 * unwritten: taps that always lie in the padding, and others. With several threads its kernel spins
 * while one thread waits for another. With other programs on the processors this was 60 % of a
 * training's processor time, which was twice that of a training in float.
 */
static dnnl_data_type_t weights_operands(const draft *d)
{
    const int64_t *stride = d->convolution.stride;
    bool good = stride[0] == 1 && stride[1] == 1 && d->threads == 1;
    return good ? d->operands : dnnl_f32;
}

static dv_status plan_weights(const draft *d, pass *weights)
{
    static const int arguments[] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS,
                                    DNNL_ARG_DIFF_BIAS};
    dnnl_data_type_t operands = weights_operands(d);
    dv_dnnl_convolution convolution = in_types(d, operands, dnnl_f32, operands);
    dnnl_primitive_desc_t description;
    DV_TRY(dv_dnnl_backward_weights(d->device, &convolution, d->forward, &description));
    dnnl_memory_desc_t given = dv_md_argument(description, DNNL_ARG_DIFF_WEIGHTS);
    dv_status status = dv_cpu_primitive_create(
        d->device, description, arguments, d->convolution.has_bias ? 4 : 3, &weights->primitive);
    dnnl_primitive_desc_destroy(description);
    if (status != DV_OK)
        return status;
    DV_TRY(dv_cpu_reorder_create(d->device, &given, &d->master, &weights->convert));
    if (weights->convert.primitive != NULL)
        weights->converted = dv_cpu_aligned(dv_md_bytes(&given));
    return DV_OK;
}

/* Plans the conversion of our kernel's gradient, which is (KH,KW,C). */
static dv_status plan_depthwise_weights(const dv_node_step *s, const draft *d, pass *weights)
{
    const dv_conv2d_attr *attr = s->node->attr;
    int64_t channels = s->in[0].c, kh = attr->kernel[0], kw = attr->kernel[1];
    int64_t dim[] = {channels, 1, 1, kh, kw};
    int64_t all = kh * kw * channels;
    int64_t stride[] = {1, all, all, kw * channels, channels};
    dnnl_memory_desc_t given;
    DV_TRY(dv_md_plain(5, dim, stride, &given));
    DV_TRY(dv_cpu_reorder_create(d->device, &given, &d->master, &weights->convert));
    if (weights->convert.primitive != NULL)
        weights->converted = dv_cpu_aligned(dv_md_bytes(&given));
    return DV_OK;
}

static dv_status plan_passes(dv_planner *planner, const dv_node_step *s, draft *d, direct *self)
{
    DV_TRY(describe(s, d));
    DV_TRY(settle_layout(planner, s, d));
    DV_TRY(plan_forward(d, &self->forward));
    if (s->training && self->depthwise)
        DV_TRY(plan_depthwise_weights(s, d, &self->weights));
    if (s->training && !self->depthwise)
        DV_TRY(plan_weights(d, &self->weights));
    if (s->training && s->wants_dx[0])
        DV_TRY(plan_data(d, &self->data));
    self->rounds = d->operands == dnnl_bf16;
    self->rounds_weights = weights_operands(d) == dnnl_bf16;
    if (self->rounds)
        self->rounded_x = dv_cpu_bf16_bytes(dv_shape_count(s->in[0]));
    if (self->rounds && s->training)
        self->rounded_dy = dv_cpu_bf16_bytes(dv_shape_count(s->node->shape));
    return DV_OK;
}

static void free_direct(direct *self)
{
    pass *passes[] = {&self->forward, &self->data, &self->weights};
    for (int i = 0; i < 3; i++) {
        dv_cpu_primitive_drop(&passes[i]->primitive);
        dv_cpu_primitive_drop(&passes[i]->convert);
    }
    free(self);
}

/* Plans the passes that the step needs. The scratch of a pass has the rounded x and dy, the pass's
   copy of the weight, and the larger scratchpad of its two primitives. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    draft d = {.device = dv_cpu_device_of(s->context), .threads = s->context->threads};
    direct *self;
    DV_TRY(dv_calloc(1, sizeof *self, &self));
    self->way = &dv__conv2d_direct;
    self->depthwise =
        attr->groups > 1 && attr->groups == s->in[0].c && attr->groups == attr->filters;
    dv_status status = plan_passes(planner, s, &d, self);
    if (d.forward != NULL)
        dnnl_primitive_desc_destroy(d.forward);
    if (status != DV_OK) {
        free_direct(self);
        return status;
    }
    pass *passes[] = {&self->forward, &self->data, &self->weights};
    for (int i = 0; i < 3; i++) {
        size_t most = passes[i]->primitive.scratchpad;
        most = passes[i]->convert.scratchpad > most ? passes[i]->convert.scratchpad : most;
        dv_planner_scratch(planner,
                           self->rounded_x + self->rounded_dy + passes[i]->converted + most);
    }
    s->self = self;
    return DV_OK;
}

/* The pass's copy of the weight, which follows the rounded x and dy in scratch. oneDNN's scratchpad
   follows it. */
static char *copy_of_weight(const dv_node_step *s)
{
    const direct *self = s->self;
    return s->scratch != NULL ? (char *)s->scratch + self->rounded_x + self->rounded_dy : NULL;
}

static void *behind(const dv_node_step *s, const pass *p)
{
    return s->scratch != NULL ? copy_of_weight(s) + p->converted : NULL;
}

static const void *operand_x(const dv_node_step *s)
{
    const direct *self = s->self;
    if (!self->rounds)
        return s->x[0];
    dv_cpu_round(s->x[0], s->scratch, dv_shape_count(s->in[0]));
    return s->scratch;
}

static const void *operand_dy(const dv_node_step *s)
{
    const direct *self = s->self;
    if (!self->rounds)
        return s->dy;
    uint16_t *rounded = (uint16_t *)((char *)s->scratch + self->rounded_x);
    dv_cpu_round(s->dy, rounded, dv_shape_count(s->node->shape));
    return rounded;
}

/* Converts the weight to the layout of the pass, if necessary. */
static dv_status convert(const dv_node_step *s, pass *p, const void **weight)
{
    const direct *self = s->self;
    const void *given = self->rounds ? s->w_operand[0] : s->w[0];
    *weight = p->converted > 0 ? copy_of_weight(s) : given;
    if (p->converted == 0)
        return DV_OK;
    return dv_cpu_primitive_run(dv_cpu_device_of(s->context), &p->convert,
                                (const void *[]){given, *weight}, behind(s, p));
}

static dv_status forward(dv_node_step *s)
{
    direct *self = s->self;
    const void *weight;
    DV_TRY(convert(s, &self->forward, &weight));
    return dv_cpu_primitive_run(dv_cpu_device_of(s->context), &self->forward.primitive,
                                (const void *[]){operand_x(s), weight, s->y, s->w[1]},
                                behind(s, &self->forward));
}

/* Computes the gradients of weight and bias, with our own kernels for a depthwise convolution. If
   the parameter has another layout, the gradient is computed in scratch and converted. */
static dv_status backward_weights(dv_node_step *s, const void *dy)
{
    direct *self = s->self;
    const dv_cpu_device *device = dv_cpu_device_of(s->context);
    const dv_conv2d_attr *attr = s->node->attr;
    pass *p = &self->weights;
    bool rounds = self->rounds_weights;
    void *gradient = p->converted > 0 ? copy_of_weight(s) : s->dw[0];
    if (self->depthwise) {
        dv__depthwise_weight_gradient(attr, s->in[0], s->node->shape, s->x[0], s->dy, gradient);
        if (attr->bias)
            dv_cpu_bias_gradient(0, s->dy, NULL, dv_shape_rows(s->node->shape), attr->filters, NULL,
                                 s->dw[1]);
    } else {
        DV_TRY(dv_cpu_primitive_run(device, &p->primitive,
                                    (const void *[]){rounds ? operand_x(s) : s->x[0],
                                                     rounds ? dy : s->dy, gradient, s->dw[1]},
                                    behind(s, p)));
    }
    if (p->converted == 0)
        return DV_OK;
    return dv_cpu_primitive_run(device, &p->convert, (const void *[]){gradient, s->dw[0]},
                                behind(s, p));
}

static dv_status backward(dv_node_step *s)
{
    direct *self = s->self;
    const void *weight, *dy = operand_dy(s);
    DV_TRY(backward_weights(s, dy));
    if (s->dx[0] == NULL)
        return DV_OK;
    DV_TRY(convert(s, &self->data, &weight));
    return dv_cpu_primitive_run(dv_cpu_device_of(s->context), &self->data.primitive,
                                (const void *[]){dy, weight, s->dx[0]}, behind(s, &self->data));
}

static void drop(dv_node_step *s)
{
    free_direct(s->self);
}

const dv_impl dv__conv2d_direct = {
    .plan = plan, .forward = forward, .backward = backward, .drop = drop};
