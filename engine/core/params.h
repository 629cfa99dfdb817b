/*
 * Parameters. One collated buffer holds all trainable values, and another of the same form their
 * gradients, so that the optimiser is one pass and the norm one reduction. Running statistics
 * (states) have buffers of their own.
 *
 * Parameters with weight decay come first, those without come next, and frozen ones come last. So
 * the trained parameters are a prefix, and two numbers separate the three groups. Each parameter
 * begins at a multiple of 64 bytes; the gaps stay zero.
 *
 * The host sees each parameter in PyTorch's order (O,I,H,W). In the buffers a backend may keep it
 * in a layout of its own (oneDNN's blocked weights), which the first plan chooses (plan.h says
 * which plans may follow it). All buffers share the layout; the optimiser works element by element
 * and ignores it.
 *
 * Values are DV_F32. If products read a parameter in another type, a copy in that type lies beside
 * the values, in the same layout. A copy in a scaled type is in PyTorch's order, and each output
 * channel (dim[0]) has a scale: its largest magnitude / 127.
 */
#ifndef DV_CORE_PARAMS_H
#define DV_CORE_PARAMS_H

#include "engine/core/op.h"
#include "engine/core/precision.h"
#include "engine/core/tensor.h"

/* Initial values, by fan-in f and fan-out g of the shape. KAIMING is N(0, 2 / f) (He et al. 2015),
   XAVIER is U(+-sqrt(6 / (f + g))) (Glorot and Bengio 2010). */
typedef enum dv_init { DV_INIT_ZERO, DV_INIT_ONE, DV_INIT_KAIMING, DV_INIT_XAVIER } dv_init;

/* A backend's own layout of one parameter: an exact rearrangement, with zeros in the gaps. */
typedef struct dv_layout {
    int64_t elements; /* gaps included */
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
    bool trainable;    /* false for a state */
    bool frozen;       /* would be trained, but the configuration freezes it */
    bool planned;      /* the first plan uses it */
    int64_t count;     /* elements without gaps */
    int64_t offset;    /* elements before it in its buffer; set by dv_params_allocate */
    dv_dtype operand;  /* type in which products read it; DV_F32 needs no copy */
    size_t copy_at;    /* bytes before its copy among the copies */
    int64_t scales_at; /* floats before its scales among the scales */
    dv_layout *layout; /* owned; NULL is PyTorch's order */
} dv_param;

typedef enum dv_buffer {
    DV_BUFFER_VALUES, /* trainable values; for parameters that are not trainable, the states */
    DV_BUFFER_GRADIENTS,
    DV_BUFFER_MOMENT1, /* first moment, or the velocity of SGD */
    DV_BUFFER_MOMENT2,
    DV_BUFFER_BEST,          /* copy of the best values (and states) so far */
    DV_BUFFER_AVERAGE,       /* moving average of the values (and states) */
    DV_BUFFER_GRADIENT_SUMS, /* sums of the gradients of several batches */
    DV_BUFFER_COUNT
} dv_buffer;

typedef struct dv_params {
    dv_context *context;
    dv_param *items;
    int count, capacity;
    int64_t value_elements;     /* elements of values and gradients, gaps included */
    int64_t trainable_elements; /* length of the prefix that is trained and has moments */
    int64_t decay_elements;     /* length of the prefix with weight decay */
    int64_t state_elements;
    void *buffers[DV_BUFFER_COUNT]; /* NULL before allocation */
    void *states[DV_BUFFER_COUNT];  /* for DV_BUFFER_VALUES, DV_BUFFER_BEST, DV_BUFFER_AVERAGE */
    /* Copies and scales for DV_BUFFER_VALUES and DV_BUFFER_AVERAGE; NULL if there are none. */
    void *copies[DV_BUFFER_COUNT];
    float *scales[DV_BUFFER_COUNT];
    size_t copy_bytes;
    int64_t scale_count;
    dv_precision precision; /* precision of the networks with these parameters */
    bool allocated;
    bool planned; /* a plan has chosen the layouts */
} dv_params;

dv_status dv_params_create(dv_context *context, dv_precision precision, dv_params **out);
void dv_params_free(dv_params *params);

/* Index of the parameter with this name, or -1. */
int dv_params_find(const dv_params *params, const char *name);

/* Freezes the parameters whose names match the pattern (fnmatch), and returns their number. Call it
   before anything is allocated. */
int dv_params_freeze(dv_params *params, const char *pattern);

/* The number of trainable scalars, including frozen ones, without gaps and states. */
int64_t dv_params_count(const dv_params *params);

/* Fixes offsets and allocates the values and states. The first plan calls it after it has chosen
   the layouts. If it is called before any plan, all parameters are and stay in PyTorch's order. A
   second call does nothing. */
dv_status dv_params_allocate(dv_params *params);

/* Frees all buffers and layouts. The parameters stay declared. */
void dv_params_release(dv_params *params);

/* Allocates one more buffer, zeroed, with its states if it has any. A second call does nothing. */
dv_status dv_params_allocate_buffer(dv_params *params, dv_buffer buffer);

/* Draws all initial values, which are the same on every backend. */
dv_status dv_params_initialize(dv_params *params, uint64_t seed);

/* Copy one parameter between a buffer and the host (item->count elements of the backend's real
   type, in PyTorch's order). */
dv_status dv_params_read(const dv_params *params, int index, dv_buffer buffer, void *host);
dv_status dv_params_write(dv_params *params, int index, dv_buffer buffer, const void *host);

/* Address of a parameter, in its layout, in a buffer. NULL if the buffer does not hold it or is not
   allocated. */
void *dv_params_address(const dv_params *params, int index, dv_buffer buffer);

/* Address of a trainable parameter as products read it: its copy, or itself if it has none. The
   functions here and the optimiser update the copy when they write to DV_BUFFER_VALUES. */
void *dv_params_operand(const dv_params *params, int index, dv_buffer buffer);

/* Address of the scales of the parameter's copy. NULL if the copy's type has no scales. */
const float *dv_params_scales(const dv_params *params, int index, dv_buffer buffer);

/* Updates all copies of a buffer, if it has any. The work is complete when this returns. */
dv_status dv_params_round(dv_params *params, dv_buffer buffer);

/* Copies values and states between DV_BUFFER_VALUES, DV_BUFFER_BEST and DV_BUFFER_AVERAGE. The work
   is complete when this returns, so other contexts may read the result. */
dv_status dv_params_copy(dv_params *params, dv_buffer from, dv_buffer to);

#endif
