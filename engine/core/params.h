/*
 * Parameters: all trainable values in one collated buffer, their gradients in another of the same
 * form, so that the optimiser is one pass and the norm one reduction; running statistics apart.
 *
 * Parameters with weight decay come first, those without after them, and those that are frozen
 * last: what is trained is a prefix, and two numbers tell the three apart. Each parameter begins at
 * a multiple of 64 bytes; the gaps stay zero.
 *
 * The host sees each parameter in PyTorch's order (O,I,H,W). In the buffer a backend may keep it
 * in a layout of its own (oneDNN's blocked weights), chosen by the first plan (plan.h says which
 * plans may follow it): all buffers share it, and the optimiser, being element-wise, need not know.
 *
 * Values are DV_F32. Where products read a parameter in another type, a copy in that type lies
 * beside the values, in the same layout. A copy in a scaled type is in PyTorch's order, and has a
 * scale for each output channel (dim[0]): the largest magnitude in it / 127.
 */
#ifndef DV_CORE_PARAMS_H
#define DV_CORE_PARAMS_H

#include "engine/core/op.h"
#include "engine/core/precision.h"
#include "engine/core/tensor.h"

/* Initial values, by fan-in f and fan-out g of the shape. Normal: He et al. 2015, N(0, 2 / f).
   Xavier: Glorot and Bengio 2010, U(+-sqrt(6 / (f + g))). */
typedef enum dv_init { DV_INIT_ZERO, DV_INIT_ONE, DV_INIT_KAIMING, DV_INIT_XAVIER } dv_init;

/* A backend's own layout of one parameter: an exact rearrangement, gaps zero. */
typedef struct dv_layout {
    int64_t elements; /* with gaps */
    void (*pack)(const struct dv_layout *layout, const void *canonical, void *packed);
    void (*unpack)(const struct dv_layout *layout, const void *packed, void *canonical);
    bool (*equal)(const struct dv_layout *a, const struct dv_layout *b);
    void (*drop)(struct dv_layout *layout); /* frees the layout itself */
} dv_layout;

typedef struct dv_param {
    char name[DV_NAME_SIZE];
    int rank;
    int64_t dim[4];
    dv_init init;
    bool decay;
    bool trainable;    /* false: a state */
    bool frozen;       /* trainable by its kind, but kept as it is */
    bool planned;      /* the first plan has it */
    int64_t count;     /* elements, without gaps */
    int64_t offset;    /* elements into its buffer; set by dv_params_allocate */
    dv_dtype operand;  /* what products read it in; DV_F32: there is no copy */
    size_t copy_at;    /* bytes into the copies */
    int64_t scales_at; /* floats into their scales */
    dv_layout *layout; /* owned; NULL: PyTorch's order */
} dv_param;

typedef enum dv_buffer {
    DV_BUFFER_VALUES, /* trainable values, and the states where the parameter is not trainable */
    DV_BUFFER_GRADIENTS,
    DV_BUFFER_MOMENT1, /* first moment, or the velocity of SGD */
    DV_BUFFER_MOMENT2,
    DV_BUFFER_BEST,          /* a copy of the values (and states) to come back to */
    DV_BUFFER_AVERAGE,       /* a moving average of the values (and states) */
    DV_BUFFER_GRADIENT_SUMS, /* over several batches */
    DV_BUFFER_COUNT
} dv_buffer;

typedef struct dv_params {
    dv_context *context;
    dv_param *items;
    int count, capacity;
    int64_t value_elements;     /* of values and gradients, gaps included */
    int64_t trainable_elements; /* the first so many are trained, and have moments */
    int64_t decay_elements;     /* the first so many have weight decay */
    int64_t state_elements;
    void *buffers[DV_BUFFER_COUNT]; /* NULL before allocation */
    void *states[DV_BUFFER_COUNT];  /* of DV_BUFFER_VALUES, DV_BUFFER_BEST and DV_BUFFER_AVERAGE */
    /* Of DV_BUFFER_VALUES and DV_BUFFER_AVERAGE; NULL: there are none. */
    void *copies[DV_BUFFER_COUNT];
    float *scales[DV_BUFFER_COUNT];
    size_t copy_bytes;
    int64_t scale_count;
    dv_precision precision; /* of the networks that have them */
    bool allocated;
    bool planned; /* there has been a plan: layouts are chosen */
} dv_params;

dv_status dv_params_create(dv_context *context, dv_precision precision, dv_params **out);
void dv_params_free(dv_params *params);

/* Index of a parameter by name, or -1. */
int dv_params_find(const dv_params *params, const char *name);

/* Freezes the parameters whose names the pattern (fnmatch's) matches; returns how many those are.
   Before anything is allocated. */
int dv_params_freeze(dv_params *params, const char *pattern);

/* Trainable scalars, gaps and states not counted; also of the frozen. */
int64_t dv_params_count(const dv_params *params);

/* Fixes offsets and allocates the values and states. The first plan does it, when it has chosen the
   layouts; before any plan all are in PyTorch's order, and stay so. A second call does nothing. */
dv_status dv_params_allocate(dv_params *params);

/* Frees all buffers and layouts: the parameters are as they were when they were declared. */
void dv_params_release(dv_params *params);

/* Allocates one more buffer, zeroed, where it has states with those. A second call does nothing. */
dv_status dv_params_allocate_buffer(dv_params *params, dv_buffer buffer);

/* Draws all initial values: the same numbers on every backend. */
dv_status dv_params_initialize(dv_params *params, uint64_t seed);

/* Copies one parameter between the host (PyTorch's order, backend's real type, item->count
   elements) and a buffer. */
dv_status dv_params_read(const dv_params *params, int index, dv_buffer buffer, void *host);
dv_status dv_params_write(dv_params *params, int index, dv_buffer buffer, const void *host);

/* Address of a parameter in a buffer, in its layout. NULL: the buffer does not hold it, or is not
   allocated. */
void *dv_params_address(const dv_params *params, int index, dv_buffer buffer);

/* Address of a trainable parameter as products read it: of its copy, which follows what the
   functions here and the optimiser write to DV_BUFFER_VALUES, or of itself. */
void *dv_params_operand(const dv_params *params, int index, dv_buffer buffer);

/* Address of the scales of its copy; NULL where the copy's type has none. */
const float *dv_params_scales(const dv_params *params, int index, dv_buffer buffer);

/* Makes all copies of a buffer anew, where it has such; complete when it returns. */
dv_status dv_params_round(dv_params *params, dv_buffer buffer);

/* Copies values and states between DV_BUFFER_VALUES, DV_BUFFER_BEST and DV_BUFFER_AVERAGE; complete
   when it returns: other contexts may read what it wrote. */
dv_status dv_params_copy(dv_params *params, dv_buffer from, dv_buffer to);

#endif
