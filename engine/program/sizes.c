/* Infers the sizes of statements' outputs from the sizes of their inputs. */
#include "engine/program/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct sizes_text {
    char text[160];
} sizes_text;

/* The sizes as text for messages: "(batch, 13, 32)". */
static sizes_text format(const dv_tensor *tensor)
{
    sizes_text out = {"("};
    for (int axis = 0; axis < tensor->rank; axis++) {
        const dv_size *size = &tensor->size[axis];
        size_t used = strlen(out.text);
        char *at = out.text + used;
        size_t room = sizeof out.text - used;
        const char *comma = axis > 0 ? ", " : "";
        if (size->symbol == DV_SYMBOL_NONE)
            snprintf(at, room, "%s%" PRId64, comma, size->add);
        else
            snprintf(at, room, "%s%s", comma, dv_symbol_name(size->symbol));
    }
    size_t used = strlen(out.text);
    snprintf(out.text + used, sizeof out.text - used, ")");
    return out;
}

/* Input i, or an empty tensor if there is none. */
static const dv_tensor *input(const dv_program *program, const dv_statement *statement, int i)
{
    return dv_program_tensor(program,
                             i < statement->input_count ? statement->inputs[i] : DV_NO_VALUE);
}

static dv_status fail(const dv_program *program, const dv_statement *statement)
{
    const dv_tensor *first = input(program, statement, 0);
    const dv_tensor *last = input(program, statement, statement->input_count - 1);
    return DV_FAIL(DV_ESHAPE, "the operator %s in '%s' cannot take the shapes %s and %s",
                   dv_operator_name(statement->op_type), program->scope, format(first).text,
                   format(last).text);
}

static bool is_one(dv_size size)
{
    return size.symbol == DV_SYMBOL_NONE && size.add == 1;
}

/* The size (size + add) / divide, rounded down, such as the number of a window's positions. */
static dv_size scaled(dv_size size, int64_t add, int64_t divide)
{
    if (size.symbol == DV_SYMBOL_NONE)
        return dv_size_of((size.add + add) / divide);
    return (dv_size){size.symbol, size.add + add * size.divide, size.divide * divide};
}

/* Broadcasts the sizes of two tensors, except the last `skip` axes. */
static bool broadcast(const dv_tensor *a, const dv_tensor *b, int skip, dv_tensor *out)
{
    int rank = a->rank > b->rank ? a->rank : b->rank;
    out->rank = rank;
    for (int axis = skip; axis < rank; axis++) { /* counted from the last axis */
        dv_size one = axis < a->rank ? a->size[a->rank - 1 - axis] : dv_size_of(1);
        dv_size other = axis < b->rank ? b->size[b->rank - 1 - axis] : dv_size_of(1);
        if (!is_one(one) && !is_one(other) && !dv_size_equal(one, other))
            return false;
        out->size[rank - 1 - axis] = is_one(one) ? other : one;
    }
    return true;
}

static bool matmul(const dv_tensor *a, const dv_tensor *b, dv_tensor *out)
{
    if (a->rank < 2 || b->rank < 2 || !broadcast(a, b, 2, out) ||
        !dv_size_equal(a->size[a->rank - 1], b->size[b->rank - 2]))
        return false;
    out->size[out->rank - 2] = a->size[a->rank - 2];
    out->size[out->rank - 1] = b->size[b->rank - 1];
    return true;
}

/* x (N, K) times the transpose of w (units, K), PyTorch's order of a weight. */
static bool gemm(const dv_tensor *x, const dv_tensor *w, dv_tensor *out)
{
    *out = *x;
    out->size[1] = w->size[0];
    return x->rank == 2 && w->rank == 2 && dv_size_equal(x->size[1], w->size[1]);
}

/* The sizes of a Conv or pool. `weight` is (filters, channels of a group, kernel...), or NULL for a
   pool. */
static bool window(const dv_tensor *x, const dv_tensor *weight, const dv_window *w, dv_tensor *out)
{
    *out = *x;
    if (x->rank != 2 + w->axes)
        return false;
    if (weight != NULL && (weight->rank != x->rank || x->size[1].symbol != DV_SYMBOL_NONE ||
                           weight->size[1].add * w->groups != x->size[1].add))
        return false;
    if (weight != NULL)
        out->size[1] = weight->size[0];
    for (int i = 0; i < w->axes; i++) {
        int64_t reach = w->dilation[i] * (w->kernel[i] - 1) + 1;
        int64_t room = 2 * w->padding[i] - reach + w->stride[i];
        out->size[2 + i] = scaled(x->size[2 + i], room, w->stride[i]);
    }
    return true;
}

/* The other axes must have equal sizes, and at most one part may have a symbol along the axis. */
static bool concat(const dv_program *program, const dv_statement *statement, dv_tensor *out)
{
    int axis = statement->attributes.axis;
    *out = *input(program, statement, 0);
    for (int i = 1; i < statement->input_count; i++) {
        const dv_tensor *other = input(program, statement, i);
        if (other->rank != out->rank)
            return false;
        for (int k = 0; k < out->rank; k++) {
            if (k != axis && !dv_size_equal(out->size[k], other->size[k]))
                return false;
        }
        const dv_size *more = &other->size[axis];
        if (more->symbol != DV_SYMBOL_NONE && out->size[axis].symbol != DV_SYMBOL_NONE)
            return false;
        dv_size sum = more->symbol != DV_SYMBOL_NONE ? *more : out->size[axis];
        int64_t add = more->symbol != DV_SYMBOL_NONE ? out->size[axis].add : more->add;
        out->size[axis] = scaled(sum, add, 1);
    }
    return true;
}

static bool slice(const dv_tensor *x, const dv_attributes *attributes, dv_tensor *out)
{
    int axis = attributes->slice.axis;
    int64_t from = attributes->slice.from, to = attributes->slice.to;
    *out = *x;
    if (to >= 0 && to < DV_TO_THE_END)
        out->size[axis] = dv_size_of(to - from);
    else
        out->size[axis] = scaled(x->size[axis], (to < 0 ? to : 0) - from, 1);
    return out->size[axis].symbol != DV_SYMBOL_NONE || out->size[axis].add > 0;
}

static bool reshape(const dv_tensor *x, const dv_attributes *attributes, dv_tensor *out)
{
    int64_t before = 1, after = 1;
    int unknown = 0;
    for (int axis = 0; axis < x->rank; axis++) {
        unknown += x->size[axis].symbol != DV_SYMBOL_NONE;
        before *= x->size[axis].symbol != DV_SYMBOL_NONE ? 1 : x->size[axis].add;
    }
    out->rank = attributes->reshape.rank;
    for (int axis = 0; axis < out->rank; axis++) {
        out->size[axis] = attributes->reshape.size[axis];
        unknown -= out->size[axis].symbol != DV_SYMBOL_NONE;
        after *= out->size[axis].symbol != DV_SYMBOL_NONE ? 1 : out->size[axis].add;
    }
    return unknown == 0 && before == after;
}

/* Operators that move, add or remove axes, and reductions. */
static bool axes_of(const dv_statement *statement, const dv_tensor *x, dv_tensor *out)
{
    const dv_attributes *attributes = &statement->attributes;
    int axis = attributes->axis;
    switch (statement->op_type) {
    case DV_OPERATOR_Transpose:
        for (int i = 0; i < x->rank; i++)
            out->size[i] = x->size[attributes->axes.axis[i]];
        return attributes->axes.count == x->rank;
    case DV_OPERATOR_Unsqueeze:
        if (axis > x->rank || x->rank == DV_PROGRAM_AXES)
            return false;
        memmove(out->size + axis + 1, x->size + axis, (size_t)(x->rank - axis) * sizeof *out->size);
        out->size[axis] = dv_size_of(1);
        out->rank = x->rank + 1;
        return true;
    case DV_OPERATOR_Squeeze:
        memmove(out->size + axis, x->size + axis + 1,
                (size_t)(x->rank - axis - 1) * sizeof *out->size);
        out->rank = x->rank - 1;
        return is_one(x->size[axis]);
    default: /* a reduction */
        for (int i = 0; i < attributes->axes.count; i++)
            out->size[attributes->axes.axis[i]] = dv_size_of(1);
        return true;
    }
}

/* Operators along an axis. */
static bool along(const dv_program *program, const dv_statement *statement, dv_tensor *outputs)
{
    const dv_tensor *x = input(program, statement, 0);
    const dv_attributes *attributes = &statement->attributes;
    switch (statement->op_type) {
    case DV_OPERATOR_Concat:
        return concat(program, statement, outputs);
    case DV_OPERATOR_Split:
        for (int i = 0; i < attributes->split.parts; i++) {
            outputs[i] = *x;
            outputs[i].size[attributes->split.axis] =
                scaled(x->size[attributes->split.axis], 0, attributes->split.parts);
        }
        return x->size[attributes->split.axis].add % attributes->split.parts == 0;
    case DV_OPERATOR_Gather:
        outputs->size[attributes->axis] = input(program, statement, 1)->size[0];
        return input(program, statement, 1)->rank == 1;
    case DV_OPERATOR_GatherElements:
        memcpy(outputs->size, input(program, statement, 1)->size, sizeof outputs->size);
        return input(program, statement, 1)->rank == x->rank;
    case DV_OPERATOR_ArgMax:
        outputs->element = DV_ELEMENT_I64;
        outputs->size[attributes->axis] = dv_size_of(1);
        return true;
    case DV_OPERATOR_Size:
        outputs->element = DV_ELEMENT_I64;
        outputs->rank = 0;
        return true;
    case DV_OPERATOR_Unsqueeze:
    case DV_OPERATOR_Squeeze:
        return axes_of(statement, x, outputs);
    default: /* CumSum, Sort and Softmax keep the sizes */
        return true;
    }
}

/* Operators that work element by element on two or three broadcast tensors. */
static bool elements(const dv_program *program, const dv_statement *statement, dv_tensor *out)
{
    const dv_tensor *x = input(program, statement, 0), *y = input(program, statement, 1);
    if (statement->op_type == DV_OPERATOR_Where) {
        dv_tensor both = {0};
        const dv_tensor *z = input(program, statement, 2);
        out->element = y->element;
        return x->element == DV_ELEMENT_BOOL && y->element == z->element &&
               broadcast(y, z, 0, &both) && broadcast(x, &both, 0, out);
    }
    if (statement->op_type == DV_OPERATOR_Less)
        out->element = DV_ELEMENT_BOOL;
    return broadcast(x, y, 0, out) && x->element == y->element;
}

/* Products and windows. */
static bool products(const dv_program *program, const dv_statement *statement, dv_tensor *out)
{
    const dv_tensor *x = input(program, statement, 0), *y = input(program, statement, 1);
    switch (statement->op_type) {
    case DV_OPERATOR_MatMul:
        return matmul(x, y, out);
    case DV_OPERATOR_Gemm:
        return gemm(x, y, out);
    case DV_OPERATOR_Conv:
        return window(x, y, &statement->attributes.window, out);
    case DV_OPERATOR_GlobalAveragePool:
        for (int axis = 2; axis < x->rank; axis++)
            out->size[axis] = dv_size_of(1);
        return x->rank > 2;
    default: /* MaxPool, AveragePool */
        return window(x, NULL, &statement->attributes.window, out);
    }
}

/* Infers sizes by the kind of attributes, which nearly determines them. An output begins as a copy
   of the first input. */
static bool infer(const dv_program *program, const dv_statement *statement, dv_tensor *outputs)
{
    const dv_tensor *x = input(program, statement, 0);
    const dv_attributes *attributes = &statement->attributes;
    *outputs = (dv_tensor){.element = x->element, .rank = x->rank};
    memcpy(outputs->size, x->size, sizeof outputs->size);
    switch (dv_operator_attributes(statement->op_type)) {
    case DV_ATTRIBUTES_COUNT:
        *outputs = (dv_tensor){.element = DV_ELEMENT_I64, .rank = 1};
        outputs->size[0] = dv_size_of(attributes->count);
        return true;
    case DV_ATTRIBUTES_CAST:
        outputs->element = attributes->cast;
        return true;
    case DV_ATTRIBUTES_WINDOW:
        return products(program, statement, outputs);
    case DV_ATTRIBUTES_SLICE:
        return slice(x, attributes, outputs);
    case DV_ATTRIBUTES_PAD:
        outputs->size[attributes->pad.axis] = scaled(
            x->size[attributes->pad.axis], attributes->pad.before + attributes->pad.after, 1);
        return true;
    case DV_ATTRIBUTES_RESHAPE:
        return reshape(x, attributes, outputs);
    case DV_ATTRIBUTES_AXES:
        return axes_of(statement, x, outputs);
    case DV_ATTRIBUTES_AXIS:
    case DV_ATTRIBUTES_SPLIT:
        return along(program, statement, outputs);
    case DV_ATTRIBUTES_NORM:
        return true;
    case DV_ATTRIBUTES_NONE:
        break;
    }
    if (statement->op_type == DV_OPERATOR_MatMul || statement->op_type == DV_OPERATOR_Gemm ||
        statement->op_type == DV_OPERATOR_GlobalAveragePool)
        return products(program, statement, outputs);
    return statement->input_count == 1 || elements(program, statement, outputs);
}

dv_status dv__program_infer(const dv_program *program, const dv_statement *statement,
                            dv_tensor *outputs)
{
    if (!infer(program, statement, outputs))
        return fail(program, statement);
    for (int i = 0; i < statement->output_count; i++) {
        outputs[i].name[0] = '\0';
        outputs[i].data = NULL;
        outputs[i].uses = 0;
    }
    return DV_OK;
}
