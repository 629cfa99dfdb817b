/* Plans and runs products with packed weights. The kernels of each instruction set come from
   cpu_packed_tile.h. */
#include "engine/gemm/cpu_packed.h"
#include "engine/core/plan.h"
#include "engine/device/cpu.h"
#include "kernels/formulas/scalar_math.h"

#include <math.h>
#include <stdlib.h>

/* Rows of a tile, whose sums are in registers; rows of a block, whose x stays in the second-level
   cache while the weight is read; columns of a panel; columns of a unit of work. */
enum { ROWS = 6, BLOCK = 48, PANEL = DV_CPU_PANEL, UNIT = 64 };

enum { ENOUGH = 1024 }; /* elements that make a call of the activation worth while */

/* Bytes of x in a chunk. All classes read it before the next chunk. */
enum { CHUNK_BYTES = 1 << 18 };

/* A tile of rows and columns. Pointers are to its first column. */
typedef struct tile {
    const float *x, *w;
    float *y;
    const int64_t *x_row, *y_row;      /* offsets of the rows */
    const dv_packed_segment *segments; /* (segment_count) */
    int64_t segment_count;
    int64_t panel;                  /* elements of a panel */
    const float *scale, *shift;     /* for the columns */
    int64_t scale_step, shift_step; /* 0 repeats the same ones or zeros for all columns */
    const float *residual;
    float least;     /* lower bound of y */
    int64_t columns; /* number of columns; the last vector may have fewer than its lanes */
} tile;

typedef void (*tile_fn)(const tile *t);

enum { MOST_VECTORS = 4 };

struct dv_packed_kernels {
    int lanes, vectors;
    tile_fn dense[MOST_VECTORS][ROWS], depthwise[MOST_VECTORS][ROWS];
};

/* Finishes a tile whose last vector has fewer columns. Its sums are `all` (rows, width). */
__attribute__((noinline)) static void store_some(const tile *t, const float *all, int rows,
                                                 int width)
{
    for (int row = 0; row < rows; row++) {
        float *y = t->y + t->y_row[row];
        for (int64_t c = 0; c < t->columns; c++) {
            float value = all[row * width + c] * t->scale[c] + t->shift[c];
            if (t->residual != NULL)
                value += t->residual[t->y_row[row] + c];
            y[c] = value < t->least ? t->least : value;
        }
    }
}

#if defined(__GNUC__) && !defined(__clang__)
#define UNROLL _Pragma("GCC unroll 6")
#else
#define UNROLL
#endif

/* ---- The kernels; 24 registers hold sums, or 12 if there are only 16 registers ---- */

#if defined(__x86_64__)
#define ISA(name) name##_v4
#define TARGET __attribute__((target("arch=x86-64-v4")))
#define LANES 16
#define VECTORS 4
#include "engine/gemm/cpu_packed_tile.h"

#define ISA(name) name##_v3
#define TARGET __attribute__((target("arch=x86-64-v3")))
#define LANES 8
#define VECTORS 2
#include "engine/gemm/cpu_packed_tile.h"

#define ISA(name) name##_base
#define TARGET
#define LANES 4
#define VECTORS 2
#include "engine/gemm/cpu_packed_tile.h"

/* The levels of x86-64, tested by features, whose names every compiler knows. Every processor with
   AVX2 or AVX-512 has the features that are not tested. */
static bool has_v3(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static bool has_v4(void)
{
    return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

const dv_packed_kernels *dv__packed_kernels(int number)
{
    const dv_packed_kernels *all[3];
    int count = 0;
    if (has_v4())
        all[count++] = &kernels_v4;
    if (has_v3())
        all[count++] = &kernels_v3;
    all[count++] = &kernels_base;
    return number < count ? all[number] : NULL;
}
#else
#define ISA(name) name##_base
#define TARGET
#define LANES 4
#define VECTORS 4
#include "engine/gemm/cpu_packed_tile.h"

const dv_packed_kernels *dv__packed_kernels(int number)
{
    return number == 0 ? &kernels_base : NULL;
}
#endif

/* ---- Planning ---- */

dv_status dv_packed_settle(dv_planner *planner, int param, int rank, const int64_t *dim,
                           bool *settled)
{
    dv_layout *layout;
    DV_TRY(dv_cpu_panels_create(rank, dim, &layout));
    *settled = dv_planner_set_layout(planner, param, layout);
    return DV_OK;
}

/* Multiply-adds that are worth a second thread. */
static const int64_t grain = 1 << 20;

static int64_t blocks_of(int64_t rows)
{
    return (rows + BLOCK - 1) / BLOCK;
}

void dv_packed_prepare(const dv_node_step *step, dv_packed *packed)
{
    int64_t fitting = CHUNK_BYTES / (packed->x_sample * (int64_t)sizeof(float)), pixels = 0;
    bool several = packed->class_count > 1 && fitting < packed->samples;
    packed->chunk = !several ? packed->samples : fitting > 0 ? fitting : 1;
    packed->kernels = dv__packed_kernels(0);
    packed->blocks = 0;
    for (int64_t i = 0; i < packed->class_count; i++) {
        packed->classes[i].first_block = packed->blocks;
        packed->blocks += blocks_of(packed->chunk * packed->classes[i].pixels);
        pixels += packed->classes[i].pixels;
    }
    bool small = packed->samples * pixels * packed->columns * packed->depth < grain;
    packed->threads = small ? 1 : step->context->threads;
}

static dv_status one_class(int64_t in, dv_packed *packed)
{
    DV_TRY(dv_calloc(1, sizeof *packed->classes, &packed->classes));
    dv_packed_class *rows = packed->classes;
    packed->class_count = rows->pixels = rows->segment_count = 1;
    DV_TRY(dv_calloc(1, sizeof *rows->x_pixel, &rows->x_pixel));
    DV_TRY(dv_calloc(1, sizeof *rows->y_pixel, &rows->y_pixel));
    DV_TRY(dv_calloc(1, sizeof *rows->segments, &rows->segments));
    rows->segments[0].length = in;
    return DV_OK;
}

dv_status dv_packed_rows(const dv_node_step *step, int64_t rows, int64_t in, int64_t out,
                         dv_packed *packed)
{
    *packed =
        (dv_packed){.samples = rows, .x_sample = in, .y_sample = out, .depth = in, .columns = out};
    dv_status status = one_class(in, packed);
    if (status != DV_OK) {
        dv_packed_drop(packed);
        return status;
    }
    dv_packed_prepare(step, packed);
    return DV_OK;
}

void dv_packed_drop(dv_packed *packed)
{
    for (int64_t i = 0; packed->classes != NULL && i < packed->class_count; i++) {
        free(packed->classes[i].x_pixel);
        free(packed->classes[i].y_pixel);
        free(packed->classes[i].segments);
    }
    free(packed->classes);
    packed->classes = NULL;
}

/* ---- Running ---- */

static const dv_packed_class *class_of(const dv_packed *packed, int64_t block)
{
    const dv_packed_class *class = packed->classes;
    for (int64_t i = 1; i < packed->class_count && packed->classes[i].first_block <= block; i++)
        class = &packed->classes[i];
    return class;
}

/* Finds the rows of a block, counted over all chunks, and returns their number, which may be 0 in
   the last chunk. The blocks of a class share its tiles evenly, so that threads have equal work: 64
   rows are split into 30 and 34, not 48 and 16. */
static int64_t find_rows(const dv_packed *packed, int64_t block, tile *t, int64_t *x_row,
                         int64_t *y_row)
{
    const dv_packed_class *class = class_of(packed, block % packed->blocks);
    int64_t start = block / packed->blocks * packed->chunk;
    int64_t samples = dv_smaller(packed->chunk, packed->samples - start);
    int64_t number = block % packed->blocks - class->first_block, all = samples * class->pixels;
    int64_t tiles = (all + ROWS - 1) / ROWS, blocks = blocks_of(packed->chunk * class->pixels);
    int64_t first = number * tiles / blocks * ROWS;
    int64_t count = dv_smaller((number + 1) * tiles / blocks * ROWS, all) - first;
    int64_t n = start + first / class->pixels, pixel = first % class->pixels;
    for (int64_t row = 0; row < count; row++) {
        x_row[row] = n * packed->x_sample + class->x_pixel[pixel];
        y_row[row] = n * packed->y_sample + class->y_pixel[pixel];
        if (++pixel == class->pixels) {
            pixel = 0;
            n++;
        }
    }
    t->segments = class->segments;
    t->segment_count = class->segment_count;
    return count;
}

/* Computes the tile's columns for all rows of a block. */
static void multiply_chunk(const dv_packed *packed, tile t, int64_t rows)
{
    const dv_packed_kernels *kernels = packed->kernels;
    int64_t wanted = (t.columns + kernels->lanes - 1) / kernels->lanes;
    const tile_fn *of_rows =
        packed->depthwise ? kernels->depthwise[wanted - 1] : kernels->dense[wanted - 1];
    for (int64_t row = 0; row < rows; row += ROWS) {
        of_rows[dv_smaller(ROWS, rows - row) - 1](&t);
        t.x_row += ROWS;
        t.y_row += ROWS;
    }
}

/* Computes the last channels, fewer than a vector, without reading beyond them. */
static void depthwise_rest(tile t, int64_t rows)
{
    for (int64_t row = 0; row < rows; row++) {
        float sums[PANEL];
        for (int64_t c = 0; c < t.columns; c++) {
            const float *x = t.x + *t.x_row + c, *w = t.w + c;
            sums[c] = 0;
            for (int64_t s = 0; s < t.segment_count; s++)
                sums[c] += x[t.segments[s].x] * w[t.segments[s].w * PANEL];
        }
        store_some(&t, sums, 1, PANEL);
        t.x_row++;
        t.y_row++;
    }
}

/* The tile of `columns` columns from `column` on. */
static tile tile_at(tile t, const dv_packed *packed, int64_t column, int64_t columns)
{
    t.w += column / PANEL * t.panel + column % PANEL;
    t.x += packed->depthwise ? column : 0;
    t.y += column;
    t.scale += column * t.scale_step;
    t.shift += column * t.shift_step;
    t.residual = t.residual != NULL ? t.residual + column : NULL;
    t.columns = columns;
    return t;
}

/* Computes a unit: a block of rows by at most UNIT columns from `first` on. */
static void multiply_unit(const dv_packed *packed, tile whole, int64_t rows, int64_t first)
{
    int64_t end = dv_smaller(first + UNIT, packed->columns), lanes = packed->kernels->lanes;
    for (int64_t column = first; column < end;) {
        int64_t columns = dv_smaller(packed->kernels->vectors * lanes, end - column);
        if (packed->depthwise && columns > lanes)
            columns -= columns % lanes;
        tile t = tile_at(whole, packed, column, columns);
        if (packed->depthwise && columns < lanes)
            depthwise_rest(t, rows);
        else
            multiply_chunk(packed, t, rows);
        column += columns;
    }
}

/* A thread's part: units first .. end - 1. The units of one block of rows are neighbours. Columns
   are activated when there are enough of them, because a call for few columns is mostly overhead.
 */
static void multiply_units(const dv_packed *packed, tile t, int activation, int64_t first,
                           int64_t end)
{
    int64_t units = (packed->columns + UNIT - 1) / UNIT;
    int64_t x_row[BLOCK], y_row[BLOCK], rows = 0, done = 0;
    t.x_row = x_row;
    t.y_row = y_row;
    for (int64_t unit = first; unit < end; unit++) {
        int64_t column = unit % units * UNIT, after = dv_smaller(column + UNIT, packed->columns);
        if (unit == first || column == 0) {
            rows = find_rows(packed, unit / units, &t, x_row, y_row);
            done = column;
        }
        if (rows <= 0)
            continue;
        multiply_unit(packed, t, rows, column);
        if (rows * (after - done) < ENOUGH && after < packed->columns && unit + 1 < end)
            continue;
        dv_cpu_activate(activation, t.y + done, y_row, rows, after - done);
        done = after;
    }
}

#define SIXTEEN(x) x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x
static const float zeros[UNIT] = {0};
static const float ones[UNIT] = {SIXTEEN(1), SIXTEEN(1), SIXTEEN(1), SIXTEEN(1)};

/* Divides the units among the threads in contiguous parts. A ReLU is the kernels' lower bound
   `least`; multiply_units applies other activations. */
void dv_packed_run(const dv_packed *packed, const float *x, const float *w,
                   const dv_cpu_epilogue *after, float *y)
{
    bool relu = after->activation == DV_ACT_RELU;
    int activation = relu ? DV_ACT_NONE : after->activation;
    tile t = {.x = x,
              .w = w,
              .y = y,
              .panel = packed->depth * PANEL,
              .scale = after->scale != NULL ? after->scale : ones,
              .shift = after->shift != NULL ? after->shift : zeros,
              .scale_step = after->scale != NULL ? 1 : 0,
              .shift_step = after->shift != NULL ? 1 : 0,
              .residual = after->residual,
              .least = relu ? 0 : -INFINITY};
    int64_t chunks = (packed->samples + packed->chunk - 1) / packed->chunk;
    int64_t units = chunks * packed->blocks * ((packed->columns + UNIT - 1) / UNIT);
    int64_t parts = dv_smaller(packed->threads, units);
#pragma omp parallel for schedule(static, 1) if (parts > 1)
    for (int64_t part = 0; part < parts; part++)
        multiply_units(packed, t, activation, part * units / parts, (part + 1) * units / parts);
}
