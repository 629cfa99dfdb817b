/* The packed products of this processor's instruction sets against plain loops in double: all
   numbers of rows and columns of a tile, epilogues, several classes, and depthwise. */
#include "engine/gemm/cpu_packed.h"
#include "engine/ops/activation/activation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Two samples of x in rows of pixels, and two classes: even pixels have two segments, odd ones have
   none. */
enum { SAMPLES = 2, MOST_PIXELS = 9, CHANNELS = 5, SEGMENTS = 2 };

typedef struct rig {
    dv_packed packed;
    int64_t x_count, y_count, w_count;
    float *x, *w, *y, *residual, *scale, *shift;
} rig;

static float *draw(uint32_t seed, int64_t count)
{
    float *out = calloc((size_t)count, sizeof *out);
    assert_non_null(out);
    for (int64_t i = 0; i < count; i++) {
        seed = seed * 1664525U + 1013904223U;
        out[i] = (float)(seed >> 8) / 8388608.0F - 1.0F;
    }
    return out;
}

static void set_class(dv_packed_class *class, int64_t first, int64_t pixels, int64_t segments,
                      const dv_packed *packed)
{
    int64_t width = packed->depthwise ? packed->columns : CHANNELS;
    class->x_pixel = calloc(MOST_PIXELS, sizeof(int64_t));
    class->y_pixel = calloc(MOST_PIXELS, sizeof(int64_t));
    class->segments = calloc(SEGMENTS, sizeof(dv_packed_segment));
    for (int64_t pixel = first; pixel < pixels; pixel += 2) {
        class->x_pixel[class->pixels] = (pixel + 1) * width;
        class->y_pixel[class->pixels++] = pixel * packed->columns;
    }
    class->segment_count = segments;
    int64_t depth = packed->depthwise ? 1 : CHANNELS;
    class->segments[0] = (dv_packed_segment){.x = -width, .w = 0, .length = depth};
    class->segments[1] =
        (dv_packed_segment){.x = 0, .w = depth, .length = packed->depthwise ? 1 : 2 * CHANNELS};
}

static void open_rig(rig *r, int64_t pixels, int64_t columns, bool depthwise,
                     const dv_packed_kernels *kernels)
{
    int64_t width = depthwise ? columns : CHANNELS, depth = depthwise ? 2 : 3 * CHANNELS;
    memset(r, 0, sizeof *r);
    r->packed = (dv_packed){.samples = SAMPLES,
                            .x_sample = (pixels + 2) * width,
                            .y_sample = pixels * columns,
                            .depth = depth,
                            .columns = columns,
                            .depthwise = depthwise,
                            .class_count = 2,
                            .classes = calloc(2, sizeof(dv_packed_class))};
    set_class(&r->packed.classes[0], 0, pixels, SEGMENTS, &r->packed);
    set_class(&r->packed.classes[1], 1, pixels, 0, &r->packed);
    dv_context context = {.threads = 1};
    dv_packed_prepare(&(dv_node_step){.context = &context}, &r->packed);
    r->packed.kernels = kernels;
    int64_t filled = (columns + 15) / 16 * 16;
    r->x_count = SAMPLES * r->packed.x_sample;
    r->y_count = SAMPLES * r->packed.y_sample;
    r->w_count = filled * depth;
    r->x = draw(1, r->x_count);
    r->w = draw(2, r->w_count);
    r->residual = draw(3, r->y_count);
    r->scale = draw(4, filled);
    r->shift = draw(5, filled);
    r->y = draw(6, r->y_count);
}

static void close_rig(rig *r)
{
    dv_packed_drop(&r->packed);
    free(r->x);
    free(r->w);
    free(r->residual);
    free(r->scale);
    free(r->shift);
    free(r->y);
}

static double sum_of(const rig *r, const dv_packed_class *class, int64_t x, int64_t column)
{
    double sum = 0;
    const float *w = r->w + column / 16 * r->packed.depth * 16 + column % 16;
    for (int64_t s = 0; s < class->segment_count; s++) {
        const dv_packed_segment *segment = &class->segments[s];
        for (int64_t k = 0; k < segment->length; k++) {
            int64_t at = x + segment->x + (r->packed.depthwise ? column : k);
            sum += (double)r->x[at] * (double)w[(segment->w + k) * 16];
        }
    }
    return sum;
}

static void check(const rig *r, const dv_cpu_epilogue *after)
{
    for (int64_t n = 0; n < SAMPLES; n++) {
        for (int i = 0; i < 2; i++) {
            const dv_packed_class *class = &r->packed.classes[i];
            for (int64_t k = 0; k < class->pixels * r->packed.columns; k++) {
                int64_t pixel = k / r->packed.columns, column = k % r->packed.columns;
                int64_t y = n * r->packed.y_sample + class->y_pixel[pixel] + column;
                double want =
                    sum_of(r, class, n * r->packed.x_sample + class->x_pixel[pixel], column);
                want *= after->scale != NULL ? (double)after->scale[column] : 1;
                want += after->shift != NULL ? (double)after->shift[column] : 0;
                want += after->residual != NULL ? (double)after->residual[y] : 0;
                want = (double)dv_activate(after->activation, (float)want);
                if (!(fabs((double)r->y[y] - want) <= 2e-6))
                    fail_msg("columns %d, sample %d, pixel %d, column %d: %g, want %g",
                             (int)r->packed.columns, (int)n, (int)pixel, (int)column,
                             (double)r->y[y], want);
            }
        }
    }
}

static void check_size(int64_t pixels, int64_t columns, bool depthwise,
                       const dv_packed_kernels *kernels)
{
    static const int activations[] = {DV_ACT_NONE, DV_ACT_RELU, DV_ACT_SILU};
    rig r;
    open_rig(&r, pixels, columns, depthwise, kernels);
    for (int bits = 0; bits < 6; bits++) {
        for (int kind = 0; kind < 3; kind++) {
            dv_cpu_epilogue after = {.scale = bits % 3 == 2 ? r.scale : NULL,
                                     .shift = bits % 3 > 0 ? r.shift : NULL,
                                     .residual = bits >= 3 ? r.residual : NULL,
                                     .activation = activations[kind]};
            dv_packed_run(&r.packed, r.x, r.w, &after, r.y);
            check(&r, &after);
        }
    }
    close_rig(&r);
}

static void test_all_instruction_sets(void **state)
{
    (void)state;
    int number = 0;
    for (; dv__packed_kernels(number) != NULL; number++) {
        for (int depthwise = 0; depthwise < 2; depthwise++) {
            for (int64_t pixels = 1; pixels <= MOST_PIXELS; pixels++) {
                for (int64_t columns = 1; columns <= 70; columns += columns < 20 ? 1 : 7)
                    check_size(pixels, columns, depthwise == 1, dv__packed_kernels(number));
            }
        }
    }
    assert_true(number >= 1);
    printf("%d instruction sets\n", number);
}

/* ReLU keeps a NaN and does not make it 0. */
static void test_relu_keeps_a_nan(void **state)
{
    (void)state;
    for (int64_t columns = 3; columns <= 64; columns += 61) {
        rig r;
        open_rig(&r, 2, columns, false, dv__packed_kernels(0));
        r.x[0] = NAN;
        dv_cpu_epilogue after = {.activation = DV_ACT_RELU};
        dv_packed_run(&r.packed, r.x, r.w, &after, r.y);
        assert_true(isnan(r.y[0]) && isnan(r.y[columns - 1]));
        close_rig(&r);
    }
}

/* A row's bits depend neither on the number of rows nor on the threads. */
static void test_a_row_is_alone(void **state)
{
    (void)state;
    enum { ROWS = 131, IN = 70, OUT = 90 };
    float *x = draw(7, ROWS * IN), *w = draw(8, 96 * IN);
    float *all = calloc(ROWS * OUT, sizeof *all), *one = calloc(OUT, sizeof *one);
    dv_context context = {.threads = 3};
    dv_node_step step = {.context = &context};
    dv_packed many, single;
    dv_cpu_epilogue after = {.activation = DV_ACT_TANH};
    assert_int_equal(dv_packed_rows(&step, ROWS, IN, OUT, &many), DV_OK);
    assert_int_equal(dv_packed_rows(&step, 1, IN, OUT, &single), DV_OK);
    many.threads = 3; /* more than the work is worth */
    dv_packed_run(&many, x, w, &after, all);
    for (int64_t row = 0; row < ROWS; row++) {
        dv_packed_run(&single, x + row * IN, w, &after, one);
        assert_memory_equal(one, all + row * OUT, OUT * sizeof *one);
    }
    dv_packed_drop(&many);
    dv_packed_drop(&single);
    free(x);
    free(w);
    free(all);
    free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_instruction_sets),
        cmocka_unit_test(test_relu_keeps_a_nan),
        cmocka_unit_test(test_a_row_is_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
