/*
 * The conversion between every two types against their definition: of all numbers with the type's
 * bits of exponent and fraction, the nearest one is the result.
 *
 *     test_convert [DEVICE]     on ref and cpu, or on the backend of a module
 */
#include "engine/backends/open.h"
#include "tests/support/device.h"
#include "tests/support/each_backend.h"
#include "tests/support/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Definition of the types ---- */

enum { PATTERNS = 65536 }; /* number of patterns of 16 bits */

/* Bits of exponent and fraction, behind the sign. The largest exponent stands for infinity and NaN.
 */
typedef struct format {
    int exponent_bits, fraction_bits;
} format;

static format format_of(dv_dtype dtype)
{
    static const format formats[DV_DTYPE_COUNT] = {[DV_F16] = {5, 10}, [DV_BF16] = {8, 7}};
    return formats[dtype];
}

static int bits_of_type(dv_dtype dtype)
{
    format f = format_of(dtype);
    return 1 + f.exponent_bits + f.fraction_bits;
}

/* The number that a pattern stands for, by definition. */
static double number_of(dv_dtype dtype, unsigned pattern)
{
    format f = format_of(dtype);
    unsigned most = (1U << f.exponent_bits) - 1;
    unsigned fraction = pattern & ((1U << f.fraction_bits) - 1);
    unsigned exponent = pattern >> f.fraction_bits & most;
    double sign = pattern >> (f.exponent_bits + f.fraction_bits) != 0 ? -1 : 1;
    int bias = (int)(most >> 1);
    if (exponent == most)
        return fraction != 0 ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, 1 - bias - f.fraction_bits);
    return sign *
           ldexp((double)fraction + (1 << f.fraction_bits), (int)exponent - bias - f.fraction_bits);
}

/* The pattern of the type's number that is nearest to x, which is not NaN. Of two equally near ones
   the even pattern is taken. Infinity counts as the next number after the largest. */
static unsigned nearest(dv_dtype dtype, double x)
{
    format f = format_of(dtype);
    unsigned infinity = ((1U << f.exponent_bits) - 1) << f.fraction_bits, low = 0, high = infinity;
    double magnitude = fabs(x);
    double end = 2 * number_of(dtype, infinity - 1) - number_of(dtype, infinity - 2);
    while (high - low > 1) {
        unsigned middle = (low + high) / 2;
        if (number_of(dtype, middle) <= magnitude)
            low = middle;
        else
            high = middle;
    }
    double above = (high == infinity ? end : number_of(dtype, high)) - magnitude;
    double below = magnitude - number_of(dtype, low);
    bool up = above < below || (!(below < above) && low % 2 == 1);
    return (up ? high : low) | (signbit(x) ? 1U << (bits_of_type(dtype) - 1) : 0);
}

/* ---- Elements ---- */

/* Element i of memory as a number. */
static double read_element(dv_type type, const void *memory, int64_t i, float scale)
{
    if (type.dtype == DV_F32)
        return (double)((const float *)memory)[i];
    if (type.dtype == DV_I8)
        return (double)(scale * (float)((const int8_t *)memory)[i]);
    if (dv_dtype_size(type.dtype) == 2)
        return number_of(type.dtype, ((const uint16_t *)memory)[i]);
    return number_of(type.dtype, ((const uint8_t *)memory)[i]);
}

/* Whether element i of memory is x, correctly rounded. */
static bool is_rounded(dv_type type, const void *memory, int64_t i, float scale, double x)
{
    double got = read_element(type, memory, i, scale);
    if (type.dtype == DV_I8) {
        double q = (double)(float)(x / (double)scale);
        q = isnan(q) ? 0 : fmin(fmax(nearbyint(q), -127), 127);
        return ((const int8_t *)memory)[i] == (int8_t)q;
    }
    if (isnan(x))
        return isnan(got);
    double want = type.dtype == DV_F32 ? x : number_of(type.dtype, nearest(type.dtype, x));
    return memcmp(&got, &want, sizeof got) == 0;
}

/* ---- Numbers to convert ---- */

typedef struct numbers {
    dv_type type;
    void *memory;
    int64_t count;
} numbers;

static void add_float(float *out, int64_t *count, double value)
{
    out[(*count)++] = (float)value;
}

/* All numbers of the types of 16 bits, the middles between neighbours, the floats next to all of
   these, and special values. */
static numbers every_float(void)
{
    static const float others[] = {FLT_MAX,  -FLT_MAX, 0x1p-149F, -0x1p-149F, FLT_MIN, 65519.996F,
                                   65520.0F, 0.5F,     1.5F,      2.5F,       127.5F,  -127.5F,
                                   1e30F,    -1e30F,   0.01F,     0.015F,     0.025F,  -0.005F};
    numbers out = {.type = {.dtype = DV_F32}};
    float *floats = calloc(2 * 4 * (size_t)PATTERNS + 64, sizeof *floats);
    assert_non_null(floats);
    for (int dtype = DV_F16; dtype <= DV_BF16; dtype++) {
        for (unsigned pattern = 0; pattern + 1 < PATTERNS; pattern++) {
            double value = number_of((dv_dtype)dtype, pattern);
            double middle = (value + number_of((dv_dtype)dtype, pattern + 1)) / 2;
            add_float(floats, &out.count, value);
            if (!isfinite(middle))
                continue;
            add_float(floats, &out.count, middle);
            add_float(floats, &out.count, (double)nextafterf((float)middle, INFINITY));
            add_float(floats, &out.count, (double)nextafterf((float)middle, -INFINITY));
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        floats[out.count++] = others[i];
    out.memory = floats;
    return out;
}

/* All patterns of a type of 16 or 8 bits. */
static numbers every_pattern(dv_type type)
{
    size_t size = dv_dtype_size(type.dtype);
    numbers out = {.type = type, .count = size == 1 ? 256 : PATTERNS};
    uint16_t *memory = calloc((size_t)out.count, sizeof *memory);
    assert_non_null(memory);
    for (int64_t i = 0; i < out.count; i++) {
        if (size == 1)
            ((uint8_t *)memory)[i] = (uint8_t)i;
        else
            memory[i] = (uint16_t)i;
    }
    if (type.dtype == DV_I8) /* -128 is not in use */
        ((int8_t *)(void *)memory)[128] = 0;
    out.memory = memory;
    return out;
}

/* ---- On the device ---- */

typedef struct device {
    const dv_backend *backend;
    dv_context *context;
} device;

static device open_device(const dv_backend *backend)
{
    device d = {.backend = backend};
    must(dv_context_open_backend(backend, 2, (dv_log){0}, &d.context));
    return d;
}

static void *to_device(device d, const void *host, size_t bytes)
{
    void *memory;
    must(d.backend->allocate(d.context, bytes, &memory));
    must(d.backend->upload(d.context, memory, host, bytes));
    return memory;
}

/* Runs a conversion of host addresses on the device. `c.into` on the host receives the result. */
static void convert(device d, dv_conversion c, const float *scales, int64_t scale_count)
{
    size_t from = (size_t)c.count * dv_dtype_size(c.from.dtype);
    size_t to = (size_t)c.count * dv_dtype_size(c.to.dtype);
    void *into = c.into, *source = to_device(d, c.source, from), *target = to_device(d, into, to);
    void *device_scales = NULL;
    if (scales != NULL)
        device_scales = to_device(d, scales, (size_t)scale_count * sizeof *scales);
    c.source = source;
    c.into = target;
    c.from_scales = c.from_scales != NULL ? device_scales : NULL;
    c.to_scales = c.to_scales != NULL ? device_scales : NULL;
    must(d.backend->convert(d.context, &c));
    must(d.backend->download(d.context, into, target, to));
    d.backend->release(d.context, source);
    d.backend->release(d.context, target);
    d.backend->release(d.context, device_scales);
}

static void check_pair(device d, const numbers *from, dv_type to)
{
    size_t bytes = (size_t)from->count * dv_dtype_size(to.dtype);
    char *into = malloc(bytes);
    assert_non_null(into);
    memset(into, 0x5A, bytes);
    convert(d,
            (dv_conversion){.source = from->memory,
                            .into = into,
                            .count = from->count,
                            .from = from->type,
                            .to = to},
            NULL, 0);
    for (int64_t i = 0; i < from->count; i++) {
        double x = read_element(from->type, from->memory, i, from->type.scale);
        if (!is_rounded(to, into, i, to.scale, x))
            fail_msg("%s: %.9g of %s becomes %.9g of %s, not the nearest", d.backend->name, x,
                     dv_dtype_name(from->type.dtype), read_element(to, into, i, to.scale),
                     dv_dtype_name(to.dtype));
    }
    if (dv_type_equal(from->type, to))
        assert_memory_equal(into, from->memory, bytes);
    free(into);
}

/* The type with its scale, if it is a scaled one. */
static dv_type type_of(int dtype, float scale)
{
    bool scaled = dv_dtype_scaled((dv_dtype)dtype);
    return (dv_type){.dtype = (dv_dtype)dtype, .scale = scaled ? scale : 0};
}

static void every_pair(const dv_backend *backend)
{
    device d = open_device(backend);
    for (int from = 0; from < DV_DTYPE_COUNT; from++) {
        numbers all = from == DV_F32 ? every_float() : every_pattern(type_of(from, 0.37F));
        for (int to = 0; to < DV_DTYPE_COUNT; to++)
            check_pair(d, &all, type_of(to, 0.01F));
        check_pair(d, &all, all.type);
        free(all.memory);
    }
    dv_context_close(d.context);
}

/* ---- A scale for each row ---- */

enum { ROWS = 7, COLUMNS = 33, ELEMENTS = ROWS * COLUMNS };

static const float row_scales[ROWS] = {1e-3F, 1e-2F, 0.1F, 1, 10, 100, 1e3F};

static void check_rows(device d, dv_type from, dv_type to)
{
    float floats[ELEMENTS];
    int8_t integers[ELEMENTS];
    char into[ELEMENTS * sizeof(float)];
    for (int i = 0; i < ELEMENTS; i++) {
        floats[i] = row_scales[i / COLUMNS] * (float)(i % 301 - 150) * 0.75F;
        integers[i] = (int8_t)(i % 255 - 127);
    }
    bool scaled = from.dtype == DV_I8;
    const void *source = scaled ? (const void *)integers : floats;
    convert(d,
            (dv_conversion){.source = source,
                            .into = into,
                            .count = ELEMENTS,
                            .from = from,
                            .to = to,
                            .from_scales = scaled ? row_scales : NULL,
                            .to_scales = to.dtype == DV_I8 && to.scale <= 0 ? row_scales : NULL,
                            .per_scale = COLUMNS},
            row_scales, ROWS);
    for (int i = 0; i < ELEMENTS; i++) {
        float scale = row_scales[i / COLUMNS];
        double x = read_element(from, source, i, scale);
        assert_true(is_rounded(to, into, i, to.scale > 0 ? to.scale : scale, x));
    }
}

static void scales_of_rows(const dv_backend *backend)
{
    device d = open_device(backend);
    const dv_type floats = {.dtype = DV_F32}, integers = {.dtype = DV_I8};
    check_rows(d, floats, integers);
    check_rows(d, integers, floats);
    check_rows(d, integers, integers);
    check_rows(d, integers, (dv_type){.dtype = DV_I8, .scale = 0.5F});
    check_rows(d, integers, (dv_type){.dtype = DV_BF16});
    dv_context_close(d.context);
}

/* ---- All lengths ---- */

/* No element is written behind the last one, wherever a vector ends. */
static void every_length(const dv_backend *backend)
{
    enum { MOST = 70 };
    device d = open_device(backend);
    float from[MOST];
    for (int i = 0; i < MOST; i++)
        from[i] = (float)i - 30;
    for (int to = 1; to < DV_DTYPE_COUNT; to++) {
        dv_type type = type_of(to, 0.5F);
        size_t size = dv_dtype_size(type.dtype);
        void *source = to_device(d, from, sizeof from);
        for (int count = 0; count < MOST; count++) {
            unsigned char into[MOST * sizeof(float)];
            memset(into, 0x5A, sizeof into);
            void *target = to_device(d, into, sizeof into);
            dv_conversion c = {.source = source, .into = target, .count = count, .to = type};
            must(backend->convert(d.context, &c));
            must(backend->download(d.context, into, target, sizeof into));
            for (int i = 0; i < count; i++)
                assert_true(is_rounded(type, into, i, type.scale, (double)from[i]));
            for (size_t i = (size_t)count * size; i < sizeof into; i++)
                assert_int_equal(into[i], 0x5A);
            backend->release(d.context, target);
        }
        backend->release(d.context, source);
    }
    dv_context_close(d.context);
}

int main(int argc, char **argv)
{
    static const backend_test each[] = {
        {"every two types", every_pair},
        {"a scale for each row", scales_of_rows},
        {"every length", every_length},
    };
    tested_backends backends;
    int status;
    if (!open_backends(argc, argv, &backends, &status))
        return status;
    return run_on_each("conversion", &backends, each, sizeof each / sizeof each[0]);
}
