/*
 * Convolutions for inference. Output pixels with the same taps inside the input form a class of
 * rows (gemm/cpu_packed.h), so taps in the padding cost nothing. Along an axis such pixels are
 * neighbours, a run. A class is a run of rows times a run of columns.
 */
#include "engine/ops/conv2d/cpu_conv2d.h"
#include "engine/gemm/cpu_packed.h"
#include "engine/ops/cpu.h"
#include "engine/ops/cpu_absorbed.h"
#include "kernels/formulas/scalar_math.h"

#include <stdlib.h>

typedef struct packed_way {
    const dv_impl *way;
    dv_packed product;
} packed_way;

/* The outputs first .. first + count - 1 of an axis whose taps tap .. tap + taps - 1 are inside. */
typedef struct run {
    int64_t first, count, tap, taps;
} run;

static bool is_depthwise(const dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    return attr->groups > 1 && attr->groups == s->in[0].c && attr->groups == attr->filters;
}

dv_status dv__conv2d_fits_packed(dv_planner *planner, const dv_node_step *s, bool *fits)
{
    const dv_conv2d_attr *attr = s->node->attr;
    *fits = false;
    if (s->training || (attr->groups != 1 && !is_depthwise(s)))
        return DV_OK;
    int64_t kh = attr->kernel[0], kw = attr->kernel[1];
    if (attr->groups == 1)
        return dv_packed_settle(planner, 0, 4, (int64_t[]){attr->filters, s->in[0].c, kh, kw},
                                fits);
    return dv_packed_settle(planner, 0, 5, (int64_t[]){attr->groups, 1, 1, kh, kw}, fits);
}

static bool absorb(dv_planner *planner, dv_node_step *s, const dv_node *next, int input)
{
    bool fits;
    return dv__cpu_epilogue_takes(s, DV_ACT_NONE, true, next, input) &&
           dv__conv2d_fits_packed(planner, s, &fits) == DV_OK && fits;
}

/* ---- Classes ---- */

/* Finds the runs of an axis (at most `out`), and returns their number. */
static int64_t find_runs(const dv_conv2d_attr *attr, int axis, int64_t in, int64_t out, run *runs)
{
    int64_t count = 0, dilation = attr->dilation[axis];
    for (int64_t o = 0; o < out; o++) {
        int64_t start = o * attr->stride[axis] - attr->padding[axis]; /* input position of tap 0 */
        int64_t tap = start < 0 ? (-start + dilation - 1) / dilation : 0;
        int64_t end = start < in ? (in - start + dilation - 1) / dilation : 0;
        int64_t taps = dv_smaller(end, attr->kernel[axis]) - tap;
        if (taps <= 0)
            tap = taps = 0;
        if (count > 0 && runs[count - 1].tap == tap && runs[count - 1].taps == taps)
            runs[count - 1].count++;
        else
            runs[count++] = (run){o, 1, tap, taps};
    }
    return count;
}

static dv_status find_pixels(const dv_node_step *s, const run *rows, const run *columns,
                             dv_packed_class *class)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_shape in = s->in[0], out = s->node->shape;
    size_t count = (size_t)(rows->count * columns->count);
    DV_TRY(dv_calloc(count, sizeof *class->x_pixel, &class->x_pixel));
    DV_TRY(dv_calloc(count, sizeof *class->y_pixel, &class->y_pixel));
    for (int64_t i = 0; i < rows->count; i++) {
        for (int64_t j = 0; j < columns->count; j++) {
            int64_t oy = rows->first + i, ox = columns->first + j;
            int64_t pixel = oy * attr->stride[0] * in.w + ox * attr->stride[1];
            class->x_pixel[class->pixels] = pixel * in.c;
            class->y_pixel[class->pixels++] = (oy * out.w + ox) * out.c;
        }
    }
    return DV_OK;
}

/* Taps of a kernel row form one segment if they are neighbours in the input too. */
static dv_status find_segments(const dv_node_step *s, const run *rows, const run *columns,
                               dv_packed_class *class)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_shape in = s->in[0];
    int64_t channels = is_depthwise(s) ? 1 : in.c;
    bool neighbours = attr->dilation[1] == 1 && !is_depthwise(s);
    int64_t each = neighbours ? columns->taps : 1;
    size_t most = (size_t)(rows->taps * columns->taps);
    DV_TRY(dv_calloc(most, sizeof *class->segments, &class->segments));
    for (int64_t kh = rows->tap; kh < rows->tap + rows->taps; kh++) {
        for (int64_t kw = columns->tap; kw < columns->tap + columns->taps; kw += each) {
            int64_t y = kh * attr->dilation[0] - attr->padding[0];
            int64_t x = kw * attr->dilation[1] - attr->padding[1];
            class->segments[class->segment_count++] =
                (dv_packed_segment){.x = (y * in.w + x) * in.c,
                                    .w = (kh * attr->kernel[1] + kw) * channels,
                                    .length = each * channels};
        }
    }
    return DV_OK;
}

static dv_status find_classes(const dv_node_step *s, run *rows, run *columns, dv_packed *product)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_shape in = s->in[0], out = s->node->shape;
    int64_t row_count = find_runs(attr, 0, in.h, out.h, rows);
    int64_t column_count = find_runs(attr, 1, in.w, out.w, columns);
    DV_TRY(
        dv_calloc((size_t)(row_count * column_count), sizeof *product->classes, &product->classes));
    product->class_count = row_count * column_count;
    for (int64_t i = 0; i < product->class_count; i++) {
        const run *row = &rows[i / column_count], *column = &columns[i % column_count];
        DV_TRY(find_pixels(s, row, column, &product->classes[i]));
        DV_TRY(find_segments(s, row, column, &product->classes[i]));
    }
    return DV_OK;
}

static dv_status make_product(const dv_node_step *s, dv_packed *product)
{
    const dv_conv2d_attr *attr = s->node->attr;
    dv_shape in = s->in[0], out = s->node->shape;
    bool depthwise = is_depthwise(s);
    *product = (dv_packed){.samples = in.n,
                           .x_sample = in.h * in.w * in.c,
                           .y_sample = out.h * out.w * out.c,
                           .depth = attr->kernel[0] * attr->kernel[1] * (depthwise ? 1 : in.c),
                           .columns = out.c,
                           .depthwise = depthwise};
    run *rows;
    DV_TRY(dv_calloc((size_t)(out.h + out.w), sizeof *rows, &rows));
    dv_status status = find_classes(s, rows, rows + out.h, product);
    free(rows);
    dv_packed_prepare(s, product);
    return status;
}

/* ---- The implementation ---- */

static dv_status plan(dv_planner *planner, dv_node_step *s)
{
    packed_way *self;
    DV_TRY(dv_calloc(1, sizeof *self, &self));
    self->way = &dv__conv2d_packed;
    dv_status status = make_product(s, &self->product);
    if (status != DV_OK) {
        dv_packed_drop(&self->product);
        free(self);
        return status;
    }
    s->self = self;
    dv_planner_scratch(planner, dv__cpu_epilogue_bytes(s->node->shape.c));
    return DV_OK;
}

static dv_status forward(dv_node_step *s)
{
    const dv_conv2d_attr *attr = s->node->attr;
    const packed_way *self = s->self;
    dv_cpu_epilogue after = dv__cpu_epilogue_make(s, DV_ACT_NONE, attr->bias ? s->w[1] : NULL,
                                                  attr->filters, s->scratch);
    dv_packed_run(&self->product, s->x[0], s->w[0], &after, s->y);
    return DV_OK;
}

static void drop(dv_node_step *s)
{
    packed_way *self = s->self;
    dv_packed_drop(&self->product);
    free(self);
}

const dv_impl dv__conv2d_packed = {
    .plan = plan, .forward = forward, .drop = drop, .absorb = absorb};
