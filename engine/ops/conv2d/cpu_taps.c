/*
 * Convolutions whose output has few pixels. The taps of a kernel row that lie inside the input are
 * contiguous in x, and in a weight with the layout (KH,KW,C,filters). So for an output pixel and a
 * kernel row
 *
 *     y (N, filters)  +=  x (N, taps C)  w (taps C, filters)
 *
 * where rows are as far apart as samples. Both gradients are products of the same parts. plan finds
 * the products once. If products have BF16 operands, x, w and dy are rounded first.
 */
#include "engine/ops/conv2d/cpu_conv2d.h"
#include "engine/gemm/cpu_dense.h"
#include "engine/ops/cpu.h"

#include <stdlib.h>
#include <string.h>

/* Measured on one and two cores against oneDNN's convolution. With few channels its single call is
   faster than our many from three pixels on. */
enum { FEW_PIXELS = 2, MOST_PIXELS = 4, MANY_CHANNELS = 128 };

/* `run` neighbouring taps of output pixel y: taps from `tap` on, for input pixels from x on. */
typedef struct segment {
    int64_t x, y, tap, run;
} segment;

/* A product, with the offsets of its matrices in elements. */
typedef struct job {
    int64_t a, b, c;
    int product;
} job;

typedef enum pass_kind { FORWARD, DATA, WEIGHTS, PASSES } pass_kind;

/* A pass writes to places: pixels of y or x, or taps. The first product of a place writes, later
   ones add. Places without a product are zero. */
typedef struct pass {
    job *jobs;
    int count;
    dv_cpu_primitive *products; /* (2 KW), at 2 (r - 1) + adds for runs of r taps */
    bool *written;              /* (places) */
    int64_t places, unwritten;
} pass;

typedef struct taps {
    const dv_impl *way;
    pass passes[PASSES];
    int64_t kernel_width;
    size_t rounded_x, rounded_dy; /* bytes of the rounded x and dy in scratch; 0 if not rounded */
} taps;

/* Describes the weight (filters, C, KH, KW) in PyTorch's order if `canonical`, otherwise with the
   memory order (KH,KW,C,filters). */
static dv_status weight_md(const dv_node_step *s, bool canonical, dnnl_memory_desc_t *out)
{
    const dv_conv2d_attr *attr = s->node->attr;
    int64_t filters = attr->filters, in = s->in[0].c, kw = attr->kernel[1];
    int64_t dim[] = {filters, in, attr->kernel[0], kw};
    int64_t stride[] = {1, filters, kw * in * filters, in * filters};
    return dv_md_plain(4, dim, canonical ? NULL : stride, out);
}

static bool is_worth(const dv_node_step *s)
{
    int64_t pixels = s->node->shape.h * s->node->shape.w;
    bool many = s->in[0].c * s->node->shape.c >= MANY_CHANNELS * MANY_CHANNELS;
    return pixels <= (many ? MOST_PIXELS : FEW_PIXELS);
}

dv_status dv__conv2d_fits_taps(dv_planner *planner, const dv_node_step *s, bool *fits)
{
    const dv_conv2d_attr *attr = s->node->attr;
    *fits = false;
    if (attr->groups != 1 || !is_worth(s))
        return DV_OK;
    dnnl_memory_desc_t wanted, canonical;
    DV_TRY(weight_md(s, false, &wanted));
    DV_TRY(weight_md(s, true, &canonical));
    if (dv_md_equal(&wanted, &canonical)) {
        *fits = dv_planner_layout(planner, 0) == NULL;
        return DV_OK;
    }
    dv_layout *layout;
    DV_TRY(dv_cpu_layout_create(dv_cpu_device_of(s->context), &canonical, &wanted, &layout));
    *fits = dv_planner_set_layout(planner, 0, layout);
    return DV_OK;
}

/* ---- Segments ---- */

/* Finds the segments of an output pixel and kernel row, and returns their number. */
static int row_segments(const dv_node_step *s, int64_t oy, int64_t ox, int64_t kh, segment *out)
{
    const dv_conv2d_attr *attr = s->node->attr;
    int64_t iy = oy * attr->stride[0] + kh * attr->dilation[0] - attr->padding[0];
    if (iy < 0 || iy >= s->in[0].h)
        return 0;
    int count = 0;
    for (int64_t kw = 0; kw < attr->kernel[1]; kw++) {
        int64_t ix = ox * attr->stride[1] + kw * attr->dilation[1] - attr->padding[1];
        if (ix < 0 || ix >= s->in[0].w)
            continue;
        if (count > 0 && attr->dilation[1] == 1)
            out[count - 1].run++;
        else
            out[count++] = (segment){.x = iy * s->in[0].w + ix,
                                     .y = oy * s->node->shape.w + ox,
                                     .tap = kh * attr->kernel[1] + kw,
                                     .run = 1};
    }
    return count;
}

static int find_segments(const dv_node_step *s, segment *out)
{
    const dv_conv2d_attr *attr = s->node->attr;
    int count = 0;
    for (int64_t oy = 0; oy < s->node->shape.h; oy++) {
        for (int64_t ox = 0; ox < s->node->shape.w; ox++) {
            for (int64_t kh = 0; kh < attr->kernel[0]; kh++)
                count += row_segments(s, oy, ox, kh, out + count);
        }
    }
    return count;
}

static int most_segments(const dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    return (int)(attr->kernel[0] * attr->kernel[1]) * MOST_PIXELS;
}

/* ---- Planning ---- */

static bool rounds(const dv_node_step *s)
{
    return dv_cpu_operands(s, s->in[0].n * s->in[0].c * s->node->shape.c) != DV_F32;
}

/* Creates the product of `run` taps. The top of the file has forward's. The gradients' are
     dx (N, run C)          +=  dy (N, filters)      w (run C, filters)^T
     dw (run C, filters)    +=  x (N, run C)^T       dy (N, filters)      */
static dv_status create_product(const dv_node_step *s, pass_kind kind, int64_t run, bool adds,
                                dv_cpu_primitive *out)
{
    dv_shape in = s->in[0], result = s->node->shape;
    int64_t n = in.n, inner = run * in.c, filters = result.c;
    int64_t x_step = in.h * in.w * in.c, y_step = result.h * result.w * result.c;
    dv_dnnl_matmul product = {.accumulates = adds};
    if (kind == FORWARD) {
        DV_TRY(dv_md_plain(2, (int64_t[]){n, inner}, (int64_t[]){x_step, 1}, &product.a));
        DV_TRY(dv_md_plain(2, (int64_t[]){inner, filters}, NULL, &product.b));
        DV_TRY(dv_md_plain(2, (int64_t[]){n, filters}, (int64_t[]){y_step, 1}, &product.c));
    } else if (kind == DATA) {
        DV_TRY(dv_md_plain(2, (int64_t[]){n, filters}, (int64_t[]){y_step, 1}, &product.a));
        DV_TRY(dv_md_plain(2, (int64_t[]){filters, inner}, (int64_t[]){1, filters}, &product.b));
        DV_TRY(dv_md_plain(2, (int64_t[]){n, inner}, (int64_t[]){x_step, 1}, &product.c));
    } else {
        DV_TRY(dv_md_plain(2, (int64_t[]){inner, n}, (int64_t[]){1, x_step}, &product.a));
        DV_TRY(dv_md_plain(2, (int64_t[]){n, filters}, (int64_t[]){y_step, 1}, &product.b));
        DV_TRY(dv_md_plain(2, (int64_t[]){inner, filters}, NULL, &product.c));
    }
    if (rounds(s)) {
        product.a = dv_md_of_type(product.a, dnnl_bf16);
        product.b = dv_md_of_type(product.b, dnnl_bf16);
    }
    return dv_cpu_matmul_create(dv_cpu_device_of(s->context), &product, out);
}

/* Adds the product of a segment. */
static dv_status add_job(const dv_node_step *s, pass_kind kind, pass *p, segment part, bool adds)
{
    int64_t in = s->in[0].c, filters = s->node->shape.c;
    int64_t x = part.x * in, y = part.y * filters, w = part.tap * in * filters;
    int product = (int)(2 * (part.run - 1)) + (adds ? 1 : 0);
    if (p->products[product].primitive == NULL)
        DV_TRY(create_product(s, kind, part.run, adds, &p->products[product]));
    job *next = &p->jobs[p->count++];
    *next = kind == FORWARD ? (job){.a = x, .b = w, .c = y}
            : kind == DATA  ? (job){.a = y, .b = w, .c = x}
                            : (job){.a = x, .b = y, .c = w};
    next->product = product;
    return DV_OK;
}

/* Adds the jobs of a segment, which is split between places that are written and others. */
static dv_status add_segment(const dv_node_step *s, pass_kind kind, pass *p, segment whole)
{
    if (kind == FORWARD) {
        bool adds = p->written[whole.y];
        p->written[whole.y] = true;
        return add_job(s, kind, p, whole, adds);
    }
    bool *written = p->written + (kind == DATA ? whole.x : whole.tap);
    for (int64_t start = 0, end; start < whole.run; start = end) {
        bool adds = written[start];
        for (end = start; end < whole.run && written[end] == adds; end++)
            written[end] = true;
        segment part = {whole.x + start, whole.y, whole.tap + start, end - start};
        DV_TRY(add_job(s, kind, p, part, adds));
    }
    return DV_OK;
}

static dv_status plan_pass(const dv_node_step *s, pass_kind kind, const segment *segments,
                           int count, pass *p)
{
    const dv_conv2d_attr *attr = s->node->attr;
    int64_t places[] = {s->node->shape.h * s->node->shape.w, s->in[0].h * s->in[0].w,
                        attr->kernel[0] * attr->kernel[1]};
    p->places = places[kind];
    DV_TRY(dv_calloc((size_t)most_segments(s), sizeof *p->jobs, &p->jobs));
    DV_TRY(dv_calloc(2 * (size_t)attr->kernel[1], sizeof *p->products, &p->products));
    DV_TRY(dv_calloc((size_t)p->places, sizeof *p->written, &p->written));
    if (kind == FORWARD && attr->bias) /* products add to the bias */
        memset(p->written, true, (size_t)p->places * sizeof *p->written);
    for (int i = 0; i < count; i++)
        DV_TRY(add_segment(s, kind, p, segments[i]));
    for (int64_t i = 0; i < p->places; i++)
        p->unwritten += p->written[i] ? 0 : 1;
    return DV_OK;
}

static dv_status plan_passes(const dv_node_step *s, taps *self)
{
    segment *segments;
    DV_TRY(dv_calloc((size_t)most_segments(s), sizeof *segments, &segments));
    int count = find_segments(s, segments);
    dv_status status = plan_pass(s, FORWARD, segments, count, &self->passes[FORWARD]);
    if (status == DV_OK && s->training)
        status = plan_pass(s, WEIGHTS, segments, count, &self->passes[WEIGHTS]);
    if (status == DV_OK && s->training && s->wants_dx[0])
        status = plan_pass(s, DATA, segments, count, &self->passes[DATA]);
    free(segments);
    return status;
}

static void free_taps(taps *self)
{
    for (int kind = 0; kind < PASSES; kind++) {
        pass *p = &self->passes[kind];
        for (int64_t i = 0; p->products != NULL && i < 2 * self->kernel_width; i++)
            dv_cpu_primitive_drop(&p->products[i]);
        free(p->products);
        free(p->jobs);
        free(p->written);
    }
    free(self);
}

/* Plans the passes that the step needs. Scratch has the rounded operands and the largest scratchpad
   of a product. */
static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    taps *self;
    DV_TRY(dv_calloc(1, sizeof *self, &self));
    self->way = &dv__conv2d_taps;
    self->kernel_width = attr->kernel[1];
    dv_status status = plan_passes(s, self);
    if (status != DV_OK) {
        free_taps(self);
        return status;
    }
    if (rounds(s)) {
        self->rounded_x = dv_cpu_bf16_bytes(dv_shape_count(s->in[0]));
        self->rounded_dy = s->training ? dv_cpu_bf16_bytes(dv_shape_count(s->node->shape)) : 0;
    }
    for (int kind = 0; kind < PASSES; kind++) {
        const pass *p = &self->passes[kind];
        for (int64_t i = 0; p->products != NULL && i < 2 * self->kernel_width; i++)
            dv_planner_scratch(planner,
                               self->rounded_x + self->rounded_dy + p->products[i].scratchpad);
    }
    s->self = self;
    return DV_OK;
}

/* ---- Running ---- */

static dv_status run(const dv_node_step *s, pass *p, const void *a, const void *b, float *c)
{
    const taps *self = s->self;
    size_t size = self->rounded_x > 0 ? sizeof(uint16_t) : sizeof(float);
    char *scratchpad =
        s->scratch != NULL ? (char *)s->scratch + self->rounded_x + self->rounded_dy : NULL;
    for (int i = 0; i < p->count; i++) {
        const job *next = &p->jobs[i];
        const void *addresses[] = {(const char *)a + (size_t)next->a * size,
                                   (const char *)b + (size_t)next->b * size, c + next->c};
        DV_TRY(dv_cpu_primitive_run(dv_cpu_device_of(s->context), &p->products[next->product],
                                    addresses, scratchpad));
    }
    return DV_OK;
}

/* The operands of the products: x, w and dy, rounded if necessary. */
static const void *operand_x(const dv_node_step *s)
{
    const taps *self = s->self;
    if (self->rounded_x == 0)
        return s->x[0];
    dv_cpu_round(s->x[0], s->scratch, dv_shape_count(s->in[0]));
    return s->scratch;
}

static const void *operand_w(const dv_node_step *s)
{
    const taps *self = s->self;
    return self->rounded_x > 0 ? s->w_operand[0] : s->w[0];
}

static const void *operand_dy(const dv_node_step *s)
{
    const taps *self = s->self;
    if (self->rounded_x == 0)
        return s->dy;
    uint16_t *rounded = (uint16_t *)((char *)s->scratch + self->rounded_x);
    dv_cpu_round(s->dy, rounded, dv_shape_count(s->node->shape));
    return rounded;
}

/* Zeroes the places (of `size` elements) without a product, in each of `samples`. */
static void clear(const pass *p, float *values, int64_t samples, int64_t size)
{
    if (p->unwritten == 0)
        return;
#pragma omp parallel for collapse(2)                                                               \
    schedule(static) if (samples * p->unwritten * size > DV_CPU_GRAIN)
    for (int64_t n = 0; n < samples; n++) {
        for (int64_t i = 0; i < p->places; i++) {
            if (!p->written[i])
                memset(values + (n * p->places + i) * size, 0, (size_t)size * sizeof *values);
        }
    }
}

static dv_status forward(dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    taps *self = s->self;
    pass *p = &self->passes[FORWARD];
    float *y = s->y;
    int64_t filters = attr->filters;
    for (int64_t row = 0; attr->bias && row < dv_shape_rows(s->node->shape); row++)
        memcpy(y + row * filters, s->w[1], (size_t)filters * sizeof *y);
    clear(p, y, s->in[0].n, filters);
    return run(s, p, operand_x(s), operand_w(s), y);
}

static dv_status backward(dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    taps *self = s->self;
    pass *weights = &self->passes[WEIGHTS], *data = &self->passes[DATA];
    int64_t in = s->in[0].c;
    float *dx = s->dx[0];
    if (attr->bias)
        dv_cpu_bias_gradient(0, s->dy, NULL, dv_shape_rows(s->node->shape), attr->filters, NULL,
                             s->dw[1]);
    clear(weights, s->dw[0], 1, in * attr->filters);
    const void *dy = operand_dy(s);
    DV_TRY(run(s, weights, operand_x(s), dy, s->dw[0]));
    if (dx == NULL)
        return DV_OK;
    clear(data, dx, s->in[0].n, in);
    return run(s, data, dy, operand_w(s), dx);
}

static void drop(dv_node_step *s)
{
    free_taps(s->self);
}

const dv_impl dv__conv2d_taps = {
    .plan = plan, .forward = forward, .backward = backward, .drop = drop};
