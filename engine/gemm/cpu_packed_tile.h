/*
 * The inner loops of cpu_packed.c, included once for each instruction set, with
 *
 *     ISA(name)  the name with the instruction set's suffix
 *     TARGET     the attribute that enables the instructions
 *     LANES      floats of a vector
 *     VECTORS    vectors side by side; ROWS x VECTORS sums are in registers
 *
 * After inlining, all loops over rows and vectors have constant bounds. UNROLL lets the compiler
 * see that early enough to keep the sums in registers.
 */
typedef float ISA(vector)
    __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef int32_t ISA(mask)
    __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

/* The address of the weight's columns for a vector, inside their panel. */
static inline __attribute__((always_inline)) const float *ISA(column)(const tile *t, int vector)
{
    int at = vector * LANES;
    return t->w + at / PANEL * t->panel + at % PANEL;
}

/* y = max(value, least). A NaN stays a NaN. */
static inline __attribute__((always_inline)) void ISA(store)(const ISA(vector) * value,
                                                             const ISA(vector) * least, float *y)
{
    ISA(mask) below = *value < *least;
    *(ISA(vector) *)y =
        (ISA(vector))(((ISA(mask)) * value & ~below) | ((ISA(mask)) * least & below));
}

/* Turns the sums of a tile into y: scale, shift, residual and lower bound. If the last vector has
   fewer columns, store_some does the same one column at a time. */
static inline __attribute__((always_inline)) void ISA(finish)(int rows, int vectors, const tile *t,
                                                              ISA(vector) sum[ROWS][VECTORS])
{
    if (t->columns < vectors * LANES) {
        float all[ROWS * VECTORS * LANES];
        UNROLL
        for (int row = 0; row < rows; row++) {
            UNROLL
            for (int v = 0; v < vectors; v++)
                *(ISA(vector) *)(all + (row * vectors + v) * LANES) = sum[row][v];
        }
        store_some(t, all, rows, vectors * LANES);
        return;
    }
    ISA(vector) least = {0};
    least += t->least;
    if (t->residual == NULL) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            ISA(vector) scale = *(const ISA(vector) *)(t->scale + v * LANES);
            ISA(vector) shift = *(const ISA(vector) *)(t->shift + v * LANES);
            UNROLL
            for (int row = 0; row < rows; row++) {
                ISA(vector) value = sum[row][v] * scale + shift;
                ISA(store)(&value, &least, t->y + t->y_row[row] + v * LANES);
            }
        }
        return;
    }
    UNROLL
    for (int v = 0; v < vectors; v++) {
        ISA(vector) scale = *(const ISA(vector) *)(t->scale + v * LANES);
        ISA(vector) shift = *(const ISA(vector) *)(t->shift + v * LANES);
        UNROLL
        for (int row = 0; row < rows; row++) {
            int64_t at = t->y_row[row] + v * LANES;
            ISA(vector) value = sum[row][v] * scale + shift;
            value += *(const ISA(vector) *)(t->residual + at);
            ISA(store)(&value, &least, t->y + at);
        }
    }
}

/* Computes a tile of a dense product. Each step multiplies an element of x for each row by a row of
   the weight, and adds the products to the sums. */
static inline __attribute__((always_inline)) void ISA(dense)(int rows, int vectors, const tile *t)
{
    ISA(vector) sum[ROWS][VECTORS];
    UNROLL
    for (int row = 0; row < rows; row++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[row][v] = (ISA(vector)){0};
    }
    for (int64_t s = 0; s < t->segment_count; s++) {
        const dv_packed_segment *segment = &t->segments[s];
        const float *x[ROWS], *w[VECTORS];
        UNROLL
        for (int row = 0; row < rows; row++)
            x[row] = t->x + t->x_row[row] + segment->x;
        UNROLL
        for (int v = 0; v < vectors; v++)
            w[v] = ISA(column)(t, v) + segment->w * PANEL;
        for (int64_t k = 0; k < segment->length; k++) {
            ISA(vector) factor[VECTORS];
            UNROLL
            for (int v = 0; v < vectors; v++)
                factor[v] = *(const ISA(vector) *)(w[v] + k * PANEL);
            UNROLL
            for (int row = 0; row < rows; row++) {
                UNROLL
                for (int v = 0; v < vectors; v++)
                    sum[row][v] += x[row][k] * factor[v];
            }
        }
    }
    ISA(finish)(rows, vectors, t, sum);
}

/* Computes a tile of a depthwise product. Each segment is a tap, whose row of x is multiplied by
   its row of the weight element by element. */
static inline __attribute__((always_inline)) void ISA(depthwise)(int rows, int vectors,
                                                                 const tile *t)
{
    ISA(vector) sum[ROWS][VECTORS];
    UNROLL
    for (int row = 0; row < rows; row++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[row][v] = (ISA(vector)){0};
    }
    for (int64_t s = 0; s < t->segment_count; s++) {
        const dv_packed_segment *segment = &t->segments[s];
        UNROLL
        for (int v = 0; v < vectors; v++) {
            ISA(vector) factor = *(const ISA(vector) *)(ISA(column)(t, v) + segment->w * PANEL);
            UNROLL
            for (int row = 0; row < rows; row++) {
                const float *x = t->x + t->x_row[row] + segment->x;
                sum[row][v] += *(const ISA(vector) *)(x + v * LANES) * factor;
            }
        }
    }
    ISA(finish)(rows, vectors, t, sum);
}

/* ---- One function for each number of rows and of vectors ---- */

#define TILE(kind, rows, vectors)                                                                  \
    TARGET static void ISA(kind##_##rows##_##vectors)(const tile *t)                               \
    {                                                                                              \
        ISA(kind)(rows, vectors, t);                                                               \
    }
#define TILES(kind, vectors)                                                                       \
    TILE(kind, 1, vectors)                                                                         \
    TILE(kind, 2, vectors)                                                                         \
    TILE(kind, 3, vectors)                                                                         \
    TILE(kind, 4, vectors)                                                                         \
    TILE(kind, 5, vectors)                                                                         \
    TILE(kind, 6, vectors)
#define NAMES(kind, vectors)                                                                       \
    {                                                                                              \
        ISA(kind##_1_##vectors), ISA(kind##_2_##vectors), ISA(kind##_3_##vectors),                 \
            ISA(kind##_4_##vectors), ISA(kind##_5_##vectors), ISA(kind##_6_##vectors)              \
    }

TILES(dense, 1)
TILES(depthwise, 1)
TILES(dense, 2)
TILES(depthwise, 2)
#if VECTORS == 4
TILES(dense, 3)
TILES(depthwise, 3)
TILES(dense, 4)
TILES(depthwise, 4)
#endif

static const dv_packed_kernels ISA(kernels) = {
    .lanes = LANES,
    .vectors = VECTORS,
    .dense = {NAMES(dense, 1), NAMES(dense, 2),
#if VECTORS == 4
              NAMES(dense, 3), NAMES(dense, 4)
#endif
    },
    .depthwise = {NAMES(depthwise, 1), NAMES(depthwise, 2),
#if VECTORS == 4
                  NAMES(depthwise, 3), NAMES(depthwise, 4)
#endif
    },
};

#undef NAMES
#undef TILES
#undef TILE
#undef ISA
#undef TARGET
#undef LANES
#undef VECTORS
