#include "tests/support/program_run.h"
#include "tests/support/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AXES = DV_PROGRAM_AXES };

int64_t array_count(const array *a)
{
    int64_t count = 1;
    for (int axis = 0; axis < a->rank; axis++)
        count *= a->size[axis];
    return count;
}

static array make(int rank, const int64_t *sizes)
{
    array a = {.rank = rank};
    if (rank > 0)
        memcpy(a.size, sizes, (size_t)rank * sizeof *sizes);
    a.data = allocated((size_t)array_count(&a), sizeof *a.data);
    return a;
}

array array_of(const float *values, const int64_t *sizes, int rank)
{
    array a = make(rank, sizes);
    for (int64_t i = 0; i < array_count(&a); i++)
        a.data[i] = (double)values[i];
    return a;
}

/* ---- Positions ---- */

/* Computes the coordinates of element i of `a`. */
static void coordinates(const array *a, int64_t i, int64_t *at)
{
    for (int axis = a->rank - 1; axis >= 0; axis--) {
        at[axis] = i % a->size[axis];
        i /= a->size[axis];
    }
}

static int64_t place(const array *a, const int64_t *at)
{
    int64_t i = 0;
    for (int axis = 0; axis < a->rank; axis++) {
        assert_true(at[axis] >= 0 && at[axis] < a->size[axis]);
        i = i * a->size[axis] + at[axis];
    }
    return i;
}

/* The element of `a` that is broadcast to the coordinates `at` of a tensor with `rank` axes. */
static double broadcast(const array *a, const int64_t *at, int rank)
{
    int64_t own[AXES];
    for (int axis = 0; axis < a->rank; axis++)
        own[axis] = a->size[axis] == 1 ? 0 : at[rank - a->rank + axis];
    return a->data[place(a, own)];
}

/* Numbers of elements before, along and behind an axis. */
typedef struct line {
    int64_t outer, count, inner;
} line;

static line line_of(const array *a, int axis)
{
    line l = {1, a->size[axis], 1};
    for (int i = 0; i < a->rank; i++) {
        l.outer *= i < axis ? a->size[i] : 1;
        l.inner *= i > axis ? a->size[i] : 1;
    }
    return l;
}

/* ---- Element by element ---- */

static double unary(dv_operator op_type, double x)
{
    switch (op_type) {
    case DV_OPERATOR_Abs:
        return fabs(x);
    case DV_OPERATOR_Sqrt:
        return sqrt(x);
    case DV_OPERATOR_Log:
        return log(x);
    case DV_OPERATOR_Floor:
        return floor(x);
    case DV_OPERATOR_Erf:
        return erf(x);
    case DV_OPERATOR_Relu:
        return fmax(x, 0);
    case DV_OPERATOR_Sigmoid:
        return 1 / (1 + exp(-x));
    case DV_OPERATOR_Tanh:
        return tanh(x);
    case DV_OPERATOR_HardSwish:
        return x * fmax(0, fmin(1, x / 6 + 0.5));
    default:
        fail_msg("%s is not known", dv_operator_name(op_type));
        return 0;
    }
}

static double binary(dv_operator op_type, bool integers, double a, double b)
{
    switch (op_type) {
    case DV_OPERATOR_Add:
        return a + b;
    case DV_OPERATOR_Sub:
        return a - b;
    case DV_OPERATOR_Mul:
        return a * b;
    case DV_OPERATOR_Div:
        return integers ? trunc(a / b) : a / b;
    case DV_OPERATOR_Max:
        return fmax(a, b);
    case DV_OPERATOR_Min:
        return fmin(a, b);
    default: /* Less */
        return a < b;
    }
}

static void run_elements(const dv_statement *s, const array *const *x, bool integers, array *y)
{
    for (int64_t i = 0; i < array_count(y); i++) {
        int64_t at[AXES];
        coordinates(y, i, at);
        double a = broadcast(x[0], at, y->rank);
        if (s->op_type == DV_OPERATOR_Where)
            y->data[i] = broadcast(x[a != 0 ? 1 : 2], at, y->rank);
        else if (s->input_count == 2)
            y->data[i] = binary(s->op_type, integers, a, broadcast(x[1], at, y->rank));
        else
            y->data[i] = unary(s->op_type, a);
    }
}

/* ---- Along axes ---- */

static void run_reduction(const dv_statement *s, const array *x, array *y)
{
    bool maximum = s->op_type == DV_OPERATOR_ReduceMax;
    double share =
        s->op_type == DV_OPERATOR_ReduceMean ? (double)array_count(y) / (double)array_count(x) : 1;
    for (int64_t i = 0; maximum && i < array_count(y); i++)
        y->data[i] = -INFINITY;
    for (int64_t i = 0; i < array_count(x); i++) {
        int64_t at[AXES];
        coordinates(x, i, at);
        for (int k = 0; k < s->attributes.axes.count; k++)
            at[s->attributes.axes.axis[k]] = 0;
        double *sum = &y->data[place(y, at)];
        *sum = maximum ? fmax(*sum, x->data[i]) : *sum + share * x->data[i];
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Computes one line of `count` numbers in place. For ArgMax *answer is the place of the largest. */
static void run_line(dv_operator op_type, double *values, int64_t count, double *answer)
{
    double sum = 0, most = -INFINITY;
    for (int64_t i = 0; i < count; i++) {
        if (values[i] > most) {
            most = values[i];
            *answer = (double)i;
        }
    }
    for (int64_t i = 0; op_type == DV_OPERATOR_Softmax && i < count; i++)
        sum += exp(values[i] - most);
    for (int64_t i = 0; op_type == DV_OPERATOR_Softmax && i < count; i++)
        values[i] = exp(values[i] - most) / sum;
    for (int64_t i = 1; op_type == DV_OPERATOR_CumSum && i < count; i++)
        values[i] += values[i - 1];
    if (op_type == DV_OPERATOR_Sort)
        qsort(values, (size_t)count, sizeof *values, by_value);
}

static void run_lines(const dv_statement *s, const array *x, array *y)
{
    line l = line_of(x, s->attributes.axis);
    double *values = allocated((size_t)l.count, sizeof *values), answer = 0;
    for (int64_t i = 0; i < l.outer * l.inner; i++) {
        int64_t from = i / l.inner * l.count * l.inner + i % l.inner;
        for (int64_t k = 0; k < l.count; k++)
            values[k] = x->data[from + k * l.inner];
        run_line(s->op_type, values, l.count, &answer);
        if (s->op_type == DV_OPERATOR_ArgMax)
            y->data[i] = answer;
        for (int64_t k = 0; s->op_type != DV_OPERATOR_ArgMax && k < l.count; k++)
            y->data[from + k * l.inner] = values[k];
    }
    free(values);
}

static void run_norm(const dv_statement *s, const array *const *x, array *y)
{
    line l = line_of(x[0], x[0]->rank - 1);
    for (int64_t i = 0; i < l.outer; i++) {
        const double *row = x[0]->data + i * l.count;
        double mean = 0, variance = 0;
        for (int64_t k = 0; k < l.count; k++)
            mean += row[k] / (double)l.count;
        for (int64_t k = 0; k < l.count; k++)
            variance += (row[k] - mean) * (row[k] - mean) / (double)l.count;
        for (int64_t k = 0; k < l.count; k++)
            y->data[i * l.count + k] =
                (row[k] - mean) / sqrt(variance + s->attributes.epsilon) * x[1]->data[k] +
                x[2]->data[k];
    }
}

/* ---- Products and windows ---- */

static void run_matmul(const array *a, const array *b, array *y)
{
    int64_t depth = a->size[a->rank - 1];
    for (int64_t i = 0; i < array_count(y); i++) {
        int64_t at[AXES], left[AXES], right[AXES];
        coordinates(y, i, at);
        for (int axis = 0; axis < a->rank; axis++)
            left[axis] = a->size[axis] == 1 ? 0 : at[y->rank - a->rank + axis];
        for (int axis = 0; axis < b->rank; axis++)
            right[axis] = b->size[axis] == 1 ? 0 : at[y->rank - b->rank + axis];
        left[a->rank - 1] = right[b->rank - 2] = 0;
        const double *row = a->data + place(a, left), *column = b->data + place(b, right);
        int64_t stride = b->size[b->rank - 1];
        for (int64_t k = 0; k < depth; k++)
            y->data[i] += row[k] * column[k * stride];
    }
}

static void run_gemm(const array *x, const array *weight, const array *bias, array *y)
{
    int64_t units = weight->size[0], depth = weight->size[1];
    for (int64_t i = 0; i < array_count(y); i++) {
        y->data[i] = bias != NULL ? bias->data[i % units] : 0;
        for (int64_t k = 0; k < depth; k++)
            y->data[i] += x->data[i / units * depth + k] * weight->data[i % units * depth + k];
    }
}

/* Sizes of x as (n, c, h, w). With one spatial axis h is 1. */
typedef struct planes {
    int64_t n, c, h, w;
} planes;

static planes planes_of(const array *x)
{
    bool one = x->rank == 3;
    return (planes){x->size[0], x->size[1], one ? 1 : x->size[2], x->size[one ? 2 : 3]};
}

typedef struct window {
    int64_t kernel[2], stride[2], padding[2], dilation[2], groups;
} window;

static window window_of(const dv_window *w)
{
    window out = {{1, 1}, {1, 1}, {0, 0}, {1, 1}, w->groups};
    for (int i = 0; i < w->axes; i++) {
        int axis = 2 - w->axes + i;
        out.kernel[axis] = w->kernel[i];
        out.stride[axis] = w->stride[i];
        out.padding[axis] = w->padding[i];
        out.dilation[axis] = w->dilation[i];
    }
    return out;
}

/* Computes the element (n, channel, i, j) of a convolution, or of a pool without `weight`. */
static double window_at(const dv_statement *s, const array *x, const array *weight, planes in,
                        const int64_t at[4])
{
    window w = window_of(&s->attributes.window);
    int64_t taps = w.kernel[0] * w.kernel[1];
    int64_t depth = weight != NULL ? weight->size[1] : 1;
    int64_t first = weight != NULL ? at[1] / (weight->size[0] / w.groups) * depth : at[1];
    double sum = s->op_type == DV_OPERATOR_MaxPool ? -INFINITY : 0;
    for (int64_t k = 0; k < depth * taps; k++) {
        int64_t c = first + k / taps, tap = k % taps;
        int64_t h = at[2] * w.stride[0] - w.padding[0] + tap / w.kernel[1] * w.dilation[0];
        int64_t v = at[3] * w.stride[1] - w.padding[1] + tap % w.kernel[1] * w.dilation[1];
        if (h < 0 || h >= in.h || v < 0 || v >= in.w)
            continue;
        double value = x->data[((at[0] * in.c + c) * in.h + h) * in.w + v];
        if (s->op_type == DV_OPERATOR_MaxPool)
            sum = fmax(sum, value);
        else if (weight != NULL)
            sum += value * weight->data[at[1] * depth * taps + k];
        else
            sum += value / (double)taps;
    }
    return sum;
}

static void run_window(const dv_statement *s, const array *const *x, array *y)
{
    planes in = planes_of(x[0]), out = planes_of(y);
    const array *weight = s->op_type == DV_OPERATOR_Conv ? x[1] : NULL;
    for (int64_t i = 0; i < array_count(y); i++) {
        int64_t at[4] = {i / (out.c * out.h * out.w), i / (out.h * out.w) % out.c,
                         i / out.w % out.h, i % out.w};
        double bias = s->input_count == 3 ? x[2]->data[at[1]] : 0;
        y->data[i] = bias + window_at(s, x[0], weight, in, at);
    }
}

/* ---- Moves, where each element of the output comes from one of the input ---- */

static void run_concat(const dv_statement *s, const array *const *x, array *y)
{
    int axis = s->attributes.axis;
    for (int64_t i = 0; i < array_count(y); i++) {
        int64_t at[AXES];
        int part = 0;
        coordinates(y, i, at);
        while (at[axis] >= x[part]->size[axis])
            at[axis] -= x[part++]->size[axis];
        y->data[i] = x[part]->data[place(x[part], at)];
    }
}

/* Changes coordinates of the output to those of the input. Returns false for a zero of padding. */
static bool source_of(const dv_statement *s, const array *const *x, int output, int64_t *at)
{
    const dv_attributes *attributes = &s->attributes;
    int64_t own[AXES];
    memcpy(own, at, sizeof own);
    switch (s->op_type) {
    case DV_OPERATOR_Split:
        at[attributes->split.axis] +=
            output * (x[0]->size[attributes->split.axis] / attributes->split.parts);
        return true;
    case DV_OPERATOR_Slice:
        at[attributes->slice.axis] += attributes->slice.from;
        return true;
    case DV_OPERATOR_Gather:
        at[attributes->axis] = (int64_t)x[1]->data[own[attributes->axis]];
        return true;
    case DV_OPERATOR_GatherElements:
        at[attributes->axis] = (int64_t)x[1]->data[place(x[1], own)];
        return true;
    case DV_OPERATOR_Transpose:
        for (int i = 0; i < x[0]->rank; i++)
            at[attributes->axes.axis[i]] = own[i];
        return true;
    default: /* Pad */
        at[attributes->pad.axis] -= attributes->pad.before;
        return at[attributes->pad.axis] >= 0 &&
               at[attributes->pad.axis] < x[0]->size[attributes->pad.axis];
    }
}

static void run_pieces(const dv_statement *s, const array *const *x, int output, array *y)
{
    for (int64_t i = 0; i < array_count(y); i++) {
        int64_t at[AXES] = {0};
        coordinates(y, i, at);
        y->data[i] = source_of(s, x, output, at) ? x[0]->data[place(x[0], at)] : 0;
    }
}

/* ---- The walk ---- */

static void run_statement(const dv_program *program, const dv_statement *s, const array *const *x,
                          int output, array *y)
{
    bool integers = s->input_count > 0 && program->tensors[s->inputs[0]].element == DV_ELEMENT_I64;
    switch (s->op_type) {
    case DV_OPERATOR_ReduceMean:
    case DV_OPERATOR_ReduceSum:
    case DV_OPERATOR_ReduceMax:
        run_reduction(s, x[0], y);
        break;
    case DV_OPERATOR_ArgMax:
    case DV_OPERATOR_CumSum:
    case DV_OPERATOR_Sort:
    case DV_OPERATOR_Softmax:
        run_lines(s, x[0], y);
        break;
    case DV_OPERATOR_LayerNormalization:
        run_norm(s, x, y);
        break;
    case DV_OPERATOR_Size:
        y->data[0] = (double)x[0]->size[s->attributes.axis];
        break;
    case DV_OPERATOR_Range:
        for (int64_t i = 0; i < y->size[0]; i++)
            y->data[i] = (double)i;
        break;
    case DV_OPERATOR_MatMul:
        run_matmul(x[0], x[1], y);
        break;
    case DV_OPERATOR_Gemm:
        run_gemm(x[0], x[1], s->input_count == 3 ? x[2] : NULL, y);
        break;
    case DV_OPERATOR_Conv:
    case DV_OPERATOR_MaxPool:
    case DV_OPERATOR_AveragePool:
        run_window(s, x, y);
        break;
    case DV_OPERATOR_GlobalAveragePool:
        for (int64_t i = 0, inner = array_count(x[0]) / array_count(y); i < array_count(x[0]); i++)
            y->data[i / inner] += x[0]->data[i] / (double)inner;
        break;
    case DV_OPERATOR_Concat:
        run_concat(s, x, y);
        break;
    case DV_OPERATOR_Split:
    case DV_OPERATOR_Slice:
    case DV_OPERATOR_Gather:
    case DV_OPERATOR_GatherElements:
    case DV_OPERATOR_Pad:
    case DV_OPERATOR_Transpose:
        run_pieces(s, x, output, y);
        break;
    case DV_OPERATOR_Cast:
        for (int64_t i = 0; i < array_count(y); i++)
            y->data[i] =
                s->attributes.cast == DV_ELEMENT_I64 ? trunc(x[0]->data[i]) : x[0]->data[i];
        break;
    case DV_OPERATOR_Reshape:
    case DV_OPERATOR_Unsqueeze:
    case DV_OPERATOR_Squeeze:
        memcpy(y->data, x[0]->data, (size_t)array_count(y) * sizeof *y->data);
        break;
    default:
        run_elements(s, x, integers, y);
        break;
    }
}

/* Makes an array with the sizes of a tensor; the inputs give the values of symbols. */
static array make_tensor(const dv_tensor *tensor, const int64_t *symbols)
{
    int64_t sizes[AXES];
    for (int axis = 0; axis < tensor->rank; axis++) {
        const dv_size *size = &tensor->size[axis];
        sizes[axis] = size->symbol == DV_SYMBOL_NONE
                          ? size->add
                          : (symbols[size->symbol] + size->add) / size->divide;
    }
    return make(tensor->rank, sizes);
}

static array read_constant(const dv_tensor *tensor)
{
    array a = make_tensor(tensor, (const int64_t[DV_SYMBOL_COUNT]){0});
    for (int64_t i = 0; i < array_count(&a); i++) {
        if (tensor->element == DV_ELEMENT_I64)
            a.data[i] = (double)((const int64_t *)tensor->data)[i];
        else
            a.data[i] = (double)((const float *)tensor->data)[i];
    }
    return a;
}

array *program_run(const dv_program *program, const array *inputs)
{
    int64_t symbols[DV_SYMBOL_COUNT] = {0};
    array *values = allocated(program->tensor_count, sizeof *values);
    for (int i = 0; i < program->input_count; i++) {
        const dv_tensor *tensor = &program->tensors[program->inputs[i]];
        assert_int_equal(tensor->rank, inputs[i].rank);
        for (int axis = 0; axis < tensor->rank; axis++)
            symbols[tensor->size[axis].symbol] = inputs[i].size[axis];
        array *copy = &values[program->inputs[i]];
        *copy = make_tensor(tensor, symbols);
        assert_int_equal(array_count(copy), array_count(&inputs[i]));
        memcpy(copy->data, inputs[i].data, (size_t)array_count(copy) * sizeof *copy->data);
    }
    for (size_t i = 0; i < program->tensor_count; i++) {
        if (program->tensors[i].data != NULL)
            values[i] = read_constant(&program->tensors[i]);
    }
    for (size_t i = 0; i < program->statement_count; i++) {
        const dv_statement *s = &program->statements[i];
        const array *x[DV_PROGRAM_INPUTS];
        for (int k = 0; k < s->input_count; k++) {
            x[k] = &values[s->inputs[k]];
            assert_non_null(x[k]->data); /* computed before it is read */
        }
        for (int k = 0; k < s->output_count; k++) {
            values[s->outputs[k]] = make_tensor(&program->tensors[s->outputs[k]], symbols);
            run_statement(program, s, x, k, &values[s->outputs[k]]);
        }
    }
    return values;
}

void program_free(const dv_program *program, array *values)
{
    for (size_t i = 0; i < program->tensor_count; i++)
        free(values[i].data);
    free(values);
}
